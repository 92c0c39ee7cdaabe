# SPDX-License-Identifier: Apache-2.0
"""The model registry, from outside: versions, approval, and serving what was approved."""

import json
from typing import Any

import pytest
import xgboost
from botocore.exceptions import ClientError

from tests.support.lab import IMAGE, Lab, artifact, csv, labels, rows
from tests.support.laptop import Account
from tests.support.naming import unique

FEATURES = rows()


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    return Lab(account)


@pytest.fixture(scope="module")
def booster() -> xgboost.Booster:
    return xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(FEATURES, label=labels(FEATURES)), 3)


@pytest.fixture(scope="module")
def specification(lab: Lab, booster: xgboost.Booster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    packed = artifact(tmp_path_factory.mktemp("model"), {"xgboost-model": bytes(booster.save_raw("ubj"))})
    return {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": lab.put("registry/model.tar.gz", packed)}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


@pytest.fixture
def group(lab: Lab) -> str:
    name = unique("Group")
    lab.sagemaker.create_model_package_group(
        ModelPackageGroupName=name, ModelPackageGroupDescription="scores", Tags=[{"Key": "team", "Value": "risk"}]
    )
    return name


def _version(lab: Lab, group: str, specification: dict[str, Any], **more: Any) -> str:
    arn: str = lab.sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=specification, **more
    )["ModelPackageArn"]
    return arn


def test_a_group_and_its_versions(lab: Lab, group: str, specification: dict[str, Any]) -> None:
    described = lab.sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert described["ModelPackageGroupStatus"] == "Completed"
    assert lab.sagemaker.list_tags(ResourceArn=described["ModelPackageGroupArn"])["Tags"] == [
        {"Key": "team", "Value": "risk"}
    ]
    first = _version(lab, group, specification)
    second = _version(lab, group, specification, ModelApprovalStatus="Approved", ModelPackageDescription="better")
    assert first.endswith(f":model-package/{group}/1")
    assert second.endswith("/2")
    package = lab.sagemaker.describe_model_package(ModelPackageName=second)
    assert package["InferenceSpecification"] == specification
    assert (package["ModelPackageVersion"], package["ModelApprovalStatus"]) == (2, "Approved")
    listed = lab.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert [package["ModelPackageVersion"] for package in listed] == [1, 2]
    assert listed[0]["ModelApprovalStatus"] == "PendingManualApproval"
    approved = lab.sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus="Approved")
    assert [package["ModelPackageArn"] for package in approved["ModelPackageSummaryList"]] == [second]
    with pytest.raises(ClientError, match="delete them first"):
        lab.sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    for arn in (first, second):
        lab.sagemaker.delete_model_package(ModelPackageName=arn)
    assert _version(lab, group, specification).endswith("/3")


def test_only_an_approved_version_is_served(
    lab: Lab, group: str, specification: dict[str, Any], booster: xgboost.Booster
) -> None:
    arn = _version(lab, group, specification)
    container = {"PrimaryContainer": {"ModelPackageName": arn}}
    with pytest.raises(ClientError, match="PendingManualApproval, and must be Approved"):
        lab.model("", **container)
    lab.sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="AUC is fine"
    )
    model = lab.model("", **container)
    assert lab.sagemaker.describe_model(ModelName=model)["PrimaryContainer"] == container["PrimaryContainer"]
    name = lab.endpoint(lab.config(model))
    assert lab.settled(name)["EndpointStatus"] == "InService"
    unseen = rows(count=2, seed=5)
    expected = booster.predict(xgboost.DMatrix(unseen)).tolist()
    assert [float(score) for score in lab.invoke(name, csv(unseen)).split(",")] == expected


def test_what_the_registry_refuses(lab: Lab, group: str, specification: dict[str, Any]) -> None:
    for message, call in (
        ("already exists", lambda: lab.sagemaker.create_model_package_group(ModelPackageGroupName=group)),
        ("does not exist", lambda: _version(lab, "no-such-group", specification)),
        (
            "does not exist",
            lambda: lab.sagemaker.describe_model_package(
                ModelPackageName=f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{group}/9"
            ),
        ),
        ("either ModelPackageGroupName", lambda: _version(lab, group, specification, ModelPackageName="x")),
        ("InferenceSpecification", lambda: lab.sagemaker.create_model_package(ModelPackageGroupName=group)),
    ):
        with pytest.raises(ClientError, match=message):
            call()


def test_an_approval_is_an_event(lab: Lab, group: str, specification: dict[str, Any]) -> None:
    events, sqs = lab.account.client("events"), lab.account.client("sqs")
    name = unique("approved")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(
        Name=name,
        EventPattern=json.dumps(
            {
                "detail-type": ["SageMaker Model Package State Change"],
                "detail": {"ModelPackageGroupName": [group], "ModelApprovalStatus": ["Approved"]},
            }
        ),
    )
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue_arn}])
    arn = _version(lab, group, specification)
    lab.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=3)["Messages"]
    assert json.loads(messages[0]["Body"])["detail"]["ModelPackageArn"] == arn
