# SPDX-License-Identifier: Apache-2.0
"""Model cards of the account on the laptop, through boto3: versions, refusals, exports, and a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.laptop import Account, Start, stop_account
from tests.support.naming import unique
from tests.support.waiting import wait_for

CONTENT = {
    "model_overview": {"model_name": "m", "model_description": "d"},
    "intended_uses": {"risk_rating": "Low", "intended_uses": "u"},
}


@pytest.fixture
def sagemaker(account: Account) -> Any:
    return account.client("sagemaker")


@pytest.fixture
def card(sagemaker: Any) -> str:
    name = unique("card")
    sagemaker.create_model_card(ModelCardName=name, Content=json.dumps(CONTENT), ModelCardStatus="Draft")
    return name


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_content_makes_versions_and_a_status_does_not(sagemaker: Any, card: str) -> None:
    described = sagemaker.describe_model_card(ModelCardName=card)
    by_arn = {"ModelCardName": described["ModelCardArn"]}
    sagemaker.update_model_card(**by_arn, ModelCardStatus="Approved")
    sagemaker.update_model_card(**by_arn, Content="{}")
    latest = sagemaker.describe_model_card(**by_arn)
    assert (latest["ModelCardVersion"], latest["ModelCardStatus"], latest["Content"]) == (2, "Approved", "{}")
    assert latest["CreationTime"] == described["CreationTime"] < latest["LastModifiedTime"]
    assert json.loads(sagemaker.describe_model_card(**by_arn, ModelCardVersion=1)["Content"]) == CONTENT
    found = [
        one["ModelCardVersion"]
        for page in sagemaker.get_paginator("list_model_card_versions").paginate(
            **by_arn, SortOrder="Ascending", PaginationConfig={"PageSize": 1}
        )
        for one in page["ModelCardVersionSummaryList"]
    ]
    assert found == [1, 2]


def test_what_sagemaker_refuses(sagemaker: Any, card: str) -> None:
    update, create = sagemaker.update_model_card, sagemaker.create_model_card
    assert refusal(create, ModelCardName=card, Content="{}", ModelCardStatus="Draft")[0] == "ConflictException"
    for wrong in ("no JSON", "[]", '{"a": 1}', '{"intended_uses": {"risk_rating": "Severe"}}'):
        given = {"ModelCardName": unique("card"), "Content": wrong, "ModelCardStatus": "Draft"}
        assert refusal(create, **given)[0] == "ValidationException", wrong
        assert refusal(update, ModelCardName=card, Content=wrong)[0] == "ValidationException", wrong
    both = refusal(update, ModelCardName=card, Content="{}", ModelCardStatus="Draft")
    assert both[0] == "ValidationException"
    assert refusal(update, ModelCardName=card)[0] == "ValidationException"
    update(ModelCardName=card, ModelCardStatus="Archived")
    assert "archived" in refusal(update, ModelCardName=card, Content="{}")[1]
    missing = {"ModelCardName": unique("none")}
    for call in (sagemaker.describe_model_card, sagemaker.delete_model_card, sagemaker.list_model_card_versions):
        assert refusal(call, **missing)[0] == "ResourceNotFound"
    assert refusal(sagemaker.describe_model_card, ModelCardName=card, ModelCardVersion=2)[0] == "ResourceNotFound"


def test_metadata_is_a_small_part_of_the_content(sagemaker: Any, card: str) -> None:
    found = sagemaker.describe_model_card(ModelCardName=card, IncludedData="MetadataOnly")
    assert json.loads(found["Content"]) == {
        "model_overview": {"model_name": "m"},
        "intended_uses": {"risk_rating": "Low"},
    }


def test_cards_are_listed_and_tagged(sagemaker: Any, card: str) -> None:
    arn = sagemaker.describe_model_card(ModelCardName=card)["ModelCardArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "risk"}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "risk"}]
    (listed,) = sagemaker.list_model_cards(NameContains=card, ModelCardStatus="Draft")["ModelCardSummaries"]
    assert (listed["ModelCardArn"], listed["ModelCardStatus"]) == (arn, "Draft")
    assert sagemaker.list_model_cards(NameContains=card, ModelCardStatus="Approved")["ModelCardSummaries"] == []


def exported(sagemaker: Any, arn: str) -> Any:
    def job() -> Any:
        found = sagemaker.describe_model_card_export_job(ModelCardExportJobArn=arn)
        return found if found["Status"] != "InProgress" else None

    return wait_for(job)


def test_exports(account: Account, sagemaker: Any, card: str) -> None:
    bucket = unique("exports")
    account.client("s3").create_bucket(Bucket=bucket)
    given = {"ModelCardName": card, "OutputConfig": {"S3OutputPath": f"s3://{bucket}/cards/"}}
    start = sagemaker.create_model_card_export_job
    arn = start(**given, ModelCardExportJobName="one")["ModelCardExportJobArn"]
    assert arn.endswith(f":model-card/{card}/export-job/one")
    assert refusal(start, **given, ModelCardExportJobName="one")[0] == "ConflictException"
    done = exported(sagemaker, arn)
    assert done["Status"] == "Completed"
    key = done["ExportArtifacts"]["S3ExportArtifacts"].removeprefix(f"s3://{bucket}/")
    assert card in account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    given["OutputConfig"] = {"S3OutputPath": f"s3://{unique('none')}/"}
    failed = exported(sagemaker, start(**given, ModelCardExportJobName="two")["ModelCardExportJobArn"])
    assert (failed["Status"], "NoSuchBucket" in failed["FailureReason"]) == ("Failed", True)
    jobs = sagemaker.list_model_card_export_jobs(ModelCardName=card, SortBy="Name", SortOrder="Ascending")
    assert [one["ModelCardExportJobName"] for one in jobs["ModelCardExportJobSummaries"]] == ["one", "two"]
    failures = sagemaker.list_model_card_export_jobs(ModelCardName=card, StatusEquals="Failed")
    assert [one["ModelCardExportJobName"] for one in failures["ModelCardExportJobSummaries"]] == ["two"]
    sagemaker.delete_model_card(ModelCardName=card)
    gone = refusal(sagemaker.describe_model_card_export_job, ModelCardExportJobArn=arn)
    assert gone[0] == "ResourceNotFound"


def test_policies_name_cards(account: Account, card: str) -> None:
    iam, name = account.client("iam"), unique("reader")
    user = iam.create_user(UserName=name)["User"]["Arn"]
    arn = f"{user.replace(':iam::', ':sagemaker:us-east-1:').rsplit(':', 1)[0]}:model-card/{card}"
    statement = {"Effect": "Allow", "Action": "sagemaker:*ModelCard*", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="read", PolicyDocument=policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.Session(made["AccessKeyId"], made["SecretAccessKey"], region_name="us-east-1")
    limited = account.client("sagemaker", session)
    assert limited.describe_model_card(ModelCardName=card)["ModelCardName"] == card
    assert limited.list_model_card_versions(ModelCardName=card)["ModelCardVersionSummaryList"]
    assert refusal(limited.list_model_cards)[0] == "AccessDeniedException"
    assert refusal(limited.describe_model_card, ModelCardName=f"{card}x")[0] == "AccessDeniedException"


def test_a_restart_keeps_cards_and_ends_exports(start: Start, tmp_path: Path) -> None:
    one = start("--data", str(tmp_path))
    sagemaker = one.client("sagemaker")
    one.client("s3").create_bucket(Bucket="kept")
    sagemaker.create_model_card(ModelCardName="kept", Content=json.dumps(CONTENT), ModelCardStatus="Draft")
    sagemaker.update_model_card(ModelCardName="kept", Content="{}")
    arn = sagemaker.create_model_card_export_job(
        ModelCardName="kept", ModelCardExportJobName="cut", OutputConfig={"S3OutputPath": "s3://kept/"}
    )["ModelCardExportJobArn"]
    stop_account(one)
    again = start("--data", str(tmp_path)).client("sagemaker")
    assert again.describe_model_card(ModelCardName="kept")["ModelCardVersion"] == 2
    assert json.loads(again.describe_model_card(ModelCardName="kept", ModelCardVersion=1)["Content"]) == CONTENT
    assert exported(again, arn)["Status"] in ("Completed", "Failed")
