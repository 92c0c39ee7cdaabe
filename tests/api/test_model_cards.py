# SPDX-License-Identifier: Apache-2.0
"""Model cards through the API: what was sent is what SageMaker has, and nothing of it is lost in an update."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.http import Answer
from tests.support.installed import Installed
from tests.support.model_cards import CONTENT, ask, content, done
from tests.support.naming import unique
from tests.support.requests import job
from tests.support.roles import trusted_role

READ_S3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


@pytest.fixture
def name() -> str:
    return unique("card")


def problems(answer: Answer) -> dict[str, tuple[str, str]]:
    assert answer.status == 400, answer.text
    return {one["path"]: (one["code"], one.get("hint", "")) for one in answer.body["errors"]}


def test_everything_in_a_card_reaches_sagemaker(api: Installed, name: str) -> None:
    answer = done(api, "create_model_card", name=name, status="PendingReview", **CONTENT)
    kept = api.client("sagemaker").describe_model_card(ModelCardName=name)
    assert content(kept) == content(answer) == CONTENT
    assert (kept["ModelCardStatus"], kept["ModelCardVersion"]) == ("PendingReview", 1)
    assert answer["ModelCardArn"].endswith(f":model-card/{name}")
    assert answer["CreationTime"] == kept["CreationTime"].isoformat()
    assert "ResponseMetadata" not in answer
    assert done(api, "describe_model_card", name=name) == answer


def test_the_predecessors_forms_are_sagemakers(api: Installed, name: str) -> None:
    """Images as a list, the objective function flat, numbers as text, sections as JSON in a string."""
    card = done(
        api,
        "create_model_card",
        name=name,
        model_overview=json.dumps({"model_version": "3", "inference_environment": ["one", "two"]}),
        training_details={
            "objective_function": {"function": "Minimize", "facet": "RMSE", "condition": "c", "notes": "n"},
            "training_job_details": {
                "training_environment": ["three"],
                "training_metrics": [{"name": "rmse", "value": "0.5"}],
                "hyper_parameters": [{"name": "eta", "value": 0.10}],
            },
        },
        additional_information={"custom_details": {"rows": 5}},
    )
    assert card["ModelCardStatus"] == "Draft"
    assert content(card) == {
        "model_overview": {"model_version": 3, "inference_environment": {"container_image": ["one", "two"]}},
        "training_details": {
            "objective_function": {
                "function": {"function": "Minimize", "facet": "RMSE", "condition": "c"},
                "notes": "n",
            },
            "training_job_details": {
                "training_environment": {"container_image": ["three"]},
                "training_metrics": [{"name": "rmse", "value": 0.5}],
                "hyper_parameters": [{"name": "eta", "value": "0.1"}],
            },
        },
        "additional_information": {"custom_details": {"rows": "5"}},
    }


def test_an_update_changes_what_it_names_and_nothing_else(api: Installed, name: str) -> None:
    done(api, "create_model_card", name=name, status="Approved", **CONTENT)
    changed = done(
        api,
        "update_model_card",
        name=name,
        model_overview={"model_owner": "Fraud team", "model_creator": None},
        training_details={"objective_function": {"facet": "recall"}},
        additional_information={"custom_details": {"reviewed": "yes", "ticket": None}},
        evaluation_details=[{"name": "second"}],
    )
    expected = json.loads(json.dumps(CONTENT))
    expected["model_overview"]["model_owner"] = "Fraud team"
    del expected["model_overview"]["model_creator"]
    expected["training_details"]["objective_function"]["function"]["facet"] = "recall"
    expected["additional_information"]["custom_details"] = {"reviewed": "yes"}
    expected["evaluation_details"] = [{"name": "second"}]
    assert content(changed) == expected
    assert (changed["ModelCardStatus"], changed["ModelCardVersion"]) == ("Approved", 2)
    assert content(done(api, "describe_model_card", name=name, version=1)) == CONTENT


def test_a_status_alone_makes_no_version_and_the_same_update_changes_nothing(api: Installed, name: str) -> None:
    done(api, "create_model_card", name=name)
    assert done(api, "update_model_card", name=name, status="PendingReview")["ModelCardVersion"] == 1
    both = {"name": name, "status": "Approved", "intended_uses": {"risk_rating": "Low"}}
    first = done(api, "update_model_card", **both)
    assert (first["ModelCardStatus"], first["ModelCardVersion"]) == ("Approved", 2)
    assert done(api, "update_model_card", **both) == first


def test_an_archived_card_is_changed_only_with_another_status(api: Installed, name: str) -> None:
    done(api, "create_model_card", name=name, status="Archived", intended_uses={"risk_rating": "Low"})
    refused = ask(api, "update_model_card", name=name, intended_uses={"risk_rating": "High"})
    assert refused.status == 409
    assert "archived" in refused.body["message"]
    again = done(api, "update_model_card", name=name, status="Draft", intended_uses={"risk_rating": "High"})
    assert (again["ModelCardStatus"], content(again)) == ("Draft", {"intended_uses": {"risk_rating": "High"}})


def test_an_update_can_start_from_an_older_version(api: Installed, name: str) -> None:
    done(api, "create_model_card", name=name, intended_uses={"risk_rating": "Low"})
    done(api, "update_model_card", name=name, intended_uses={"purpose_of_model": "p"})
    back = done(api, "update_model_card", name=name, version=1, model_overview={"model_owner": "o"})
    assert content(back) == {"intended_uses": {"risk_rating": "Low"}, "model_overview": {"model_owner": "o"}}
    described = ask(api, "describe_model_card", name=name, all_versions="True").body
    assert [one["ModelCardVersion"] for one in described["versions"]] == [3, 2, 1]


def test_every_problem_is_told_where_it_is_and_nothing_is_made(api: Installed) -> None:
    answer = ask(
        api,
        "create_model_card",
        name="not_a_name",
        status="approved",
        foo=1,
        model_overview={"model_version": "zero", "model_artifact": "s3://a", "modl_owner": "me"},
        intended_uses={"risk_rating": "Severe"},
        training_details={
            "objective_function": {"function": {"function": "maximise"}, "facet": "AUC"},
            "training_job_details": {"training_metrics": [{"name": "auc"}], "training_datasets": ["a"] * 16},
        },
        evaluation_details=[
            {"metric_type": "regression", "metric_groups": [{"name": "g", "metric_data": [{"type": "matrix"}]}]},
            {"name": "n", "metric_groups": [{"name": "g", "metric_data": [{"name": "m", "type": "bar", "value": 1}]}]},
            {"name": "n", "metric_file_s3_url": "s3://elsewhere/x.json", "metric_type": "regression"},
            {"name": "n" * 64},
        ],
        additional_information={"custom_details": {"a": ["b"]}},
        kms_key_arn="arn:aws:kms:us-east-1:999999999999:key/0d990263-018e-4e65-a703-eff731de951e",
    )
    assert {path: code for path, (code, _) in problems(answer).items()} == {
        "/name": "wrong_format",
        "/status": "not_allowed_value",
        "/foo": "unknown_key",
        "/model_overview/model_version": "wrong_type",
        "/model_overview/model_artifact": "wrong_type",
        "/model_overview/modl_owner": "unknown_key",
        "/intended_uses/risk_rating": "not_allowed_value",
        "/training_details/objective_function/function/function": "not_allowed_value",
        "/training_details/objective_function/facet": "conflict",
        "/training_details/training_job_details/training_metrics/0/value": "missing",
        "/training_details/training_job_details/training_datasets": "too_many",
        "/evaluation_details/0/name": "missing",
        "/evaluation_details/0/metric_file_s3_url": "missing",
        "/evaluation_details/0/metric_groups/0/metric_data/0/name": "missing",
        "/evaluation_details/0/metric_groups/0/metric_data/0/value": "missing",
        "/evaluation_details/1/metric_groups/0/metric_data/0/type": "not_allowed_value",
        "/evaluation_details/2/metric_file_s3_url": "not_reachable",
        "/evaluation_details/3/name": "too_long",
        "/additional_information/custom_details/a": "wrong_type",
        "/kms_key_arn": "not_reachable",
    }
    assert problems(answer)["/model_overview/modl_owner"][1] == "did you mean 'model_owner'?"
    assert problems(answer)["/status"][1] == "did you mean 'Approved'?"
    assert ask(api, "describe_model_card", name="not-a-name").status == 404


def test_nulls_in_an_update_are_of_known_keys(api: Installed, name: str) -> None:
    done(api, "create_model_card", name=name, **CONTENT)
    wrong = ask(api, "update_model_card", name=name, status=None, model_overview={"modl_owner": None})
    assert {path: code for path, (code, _) in problems(wrong).items()} == {
        "/status": "wrong_type",
        "/model_overview/modl_owner": "unknown_key",
    }
    cleared = done(api, "update_model_card", name=name, evaluation_details=None, business_details=None)
    assert set(content(cleared)) == set(CONTENT) - {"evaluation_details", "business_details"}


def test_names_taken_and_names_unknown(api: Installed, name: str) -> None:
    done(api, "create_model_card", name=name)
    assert ask(api, "create_model_card", name=name).status == 409
    assert done(api, "delete_model_card", name=name) == f"Model card {name} has been deleted."
    for operation in ("update", "describe", "delete", "export"):
        assert ask(api, f"{operation}_model_card", name=name).status == 404, operation
    assert ask(api, "describe_model_card").status == 400
    assert problems(ask(api, "crate_model_card", name=name))["/pipeline_type"][1] == "did you mean 'create_model_card'?"


def test_keys_that_have_no_effect_are_told(api: Installed, name: str) -> None:
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:model-card/{name}"
    answer = ask(api, "create_model_card", name=name, arn=arn, version=1, created_by={"a": 1}, export_job_name="e")
    assert answer.status == 200, answer.text
    told = {one["path"]: one["code"] for one in answer.body["warnings"]}
    assert told == {"/version": "not_applied", "/created_by": "not_applied", "/export_job_name": "unused_key"}
    assert set(problems(ask(api, "describe_model_card", name="other", arn=arn))) == {"/arn"}


def test_all_pages_of_cards_are_listed(api: Installed, name: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = [f"{name}-{number}" for number in range(103)]
        sagemaker = api.client("sagemaker")

        def create(one: str) -> None:
            sagemaker.create_model_card(ModelCardName=one, Content="{}", ModelCardStatus="Draft")

        list(pool.map(create, names))
    done(api, "update_model_card", name=names[7], status="Approved")
    listed = done(api, "list_model_cards", name_contains=name)["ModelCardSummaries"]
    assert {one["ModelCardName"] for one in listed} == set(names)
    assert len(listed) == 103
    approved = done(api, "list_model_cards", name_contains=name, status="Approved")["ModelCardSummaries"]
    assert [one["ModelCardName"] for one in approved] == [names[7]]


def test_an_export_lies_in_the_assets_bucket(api: Installed, name: str) -> None:
    done(api, "create_model_card", name=name, model_overview={"model_description": "<b>1 & 2</b>"})
    done(api, "update_model_card", name=name, intended_uses={"risk_rating": "Low"})
    exported = done(api, "export_model_card", name=name, export_job_name="audit", model_card_version="1")
    uri = exported["ExportArtifacts"]["S3ExportArtifacts"]
    assert uri.startswith(f"s3://{api.assets_bucket}/model_card_exports/")
    key = uri.removeprefix(f"s3://{api.assets_bucket}/")
    page = api.client("s3").get_object(Bucket=api.assets_bucket, Key=key)["Body"].read().decode()
    assert "&lt;b&gt;1 &amp; 2&lt;/b&gt;" in page
    assert "Risk rating" not in page
    again = done(api, "export_model_card", name=name, export_job_name="audit", model_card_version=1)
    assert again == exported
    assert ask(api, "export_model_card", name=name, export_job_name="audit").status == 409
    assert done(api, "export_model_card", name=name)["ModelCardVersion"] == 2


def test_a_card_says_what_sagemaker_knows_of_its_model(api: Installed, trained: dict[str, Any], name: str) -> None:
    """The training job by its name and by the model that it made; what the request says has precedence."""
    training = job(api, trained)
    artifact = training["ModelArtifacts"]["S3ModelArtifacts"]
    image = training["AlgorithmSpecification"]["TrainingImage"]
    model = api.client("sagemaker").create_model(
        ModelName=name,
        ExecutionRoleArn=trusted_role(api, "sagemaker.amazonaws.com", READ_S3),
        PrimaryContainer={"Image": image, "ModelDataUrl": artifact},
    )
    card = done(
        api,
        "create_model_card",
        name=name,
        model_overview={"model_name": name, "model_owner": "me"},
        training_details={
            "training_job_name": training["TrainingJobName"],
            "training_observations": "seen",
            "training_job_details": {"training_datasets": ["s3://mine/data.csv"]},
        },
    )
    overview, details = content(card)["model_overview"], content(card)["training_details"]
    assert overview == {
        "model_name": name,
        "model_owner": "me",
        "model_id": model["ModelArn"],
        "model_artifact": [artifact],
        "inference_environment": {"container_image": [image]},
    }
    found = details["training_job_details"]
    assert details["training_observations"] == "seen"
    assert found["training_arn"] == training["TrainingJobArn"]
    assert found["training_datasets"] == ["s3://mine/data.csv"]
    assert found["training_environment"] == {"container_image": [image]}
    assert {one["name"]: one["value"] for one in found["training_metrics"]} == {
        one["MetricName"]: pytest.approx(one["Value"]) for one in training["FinalMetricDataList"]
    }
    assert {one["name"]: one["value"] for one in found["hyper_parameters"]} == training["HyperParameters"]

    by_model = done(api, "update_model_card", name=name, training_details={"model_name": name})
    channels = [one["DataSource"]["S3DataSource"]["S3Uri"] for one in training["InputDataConfig"]]
    assert content(by_model)["training_details"]["training_job_details"]["training_datasets"] == channels


def test_what_a_card_names_and_is_not_there_is_told(api: Installed, name: str) -> None:
    missing = f"s3://{api.assets_bucket}/{name}.json"
    answer = ask(
        api,
        "create_model_card",
        name=name,
        training_details={"training_job_name": name},
        evaluation_details=[{"name": "e", "metric_file_s3_url": missing, "metric_type": "regression"}],
    )
    assert {path: code for path, (code, _) in problems(answer).items()} == {
        "/training_details/training_job_name": "unknown_resource",
        "/evaluation_details/0/metric_file_s3_url": "unknown_resource",
    }
    answer = ask(api, "create_model_card", name=name, model_overview={"model_name": name})
    assert answer.status == 200, answer.text
    assert [one["path"] for one in answer.body["warnings"]] == ["/model_overview/model_name"]


def test_metrics_come_from_a_file(api: Installed, name: str) -> None:
    api.put(f"{name}.json", json.dumps({"regression_metrics": {"mae": {"value": 0.5, "standard_deviation": 0.1}}}))
    api.put(f"{name}.txt", "no JSON")
    file = f"s3://{api.assets_bucket}/{name}"
    evaluation = {"name": "e", "metric_file_s3_url": f"{file}.json", "metric_type": "regression"}
    card = done(api, "create_model_card", name=name, evaluation_details=[evaluation])
    metrics = [
        {"name": "mae", "type": "number", "value": 0.5},
        {"name": "mae - standard_deviation", "type": "number", "value": 0.1},
    ]
    groups = [{"name": "regression_metrics", "metric_data": metrics}]
    assert content(card)["evaluation_details"] == [{"name": "e", "metric_groups": groups}]
    for change, code in (
        ({"metric_type": "binary_classification"}, "wrong_format"),
        ({"metric_file_s3_url": f"{file}.txt"}, "invalid_json"),
    ):
        answer = ask(api, "update_model_card", name=name, evaluation_details=[{**evaluation, **change}])
        assert problems(answer)["/evaluation_details/0/metric_file_s3_url"][0] == code


def test_a_key_encrypts_a_card(api: Installed, name: str) -> None:
    key = api.client("kms").create_key()["KeyMetadata"]["Arn"]
    card = done(api, "create_model_card", name=name, kms_key_arn=key, intended_uses={"risk_rating": "Low"})
    assert card["SecurityConfig"] == {"KmsKeyId": key}
    changed = done(api, "update_model_card", name=name, intended_uses={"risk_rating": "High"})
    assert changed["SecurityConfig"] == {"KmsKeyId": key}
    missing = key[:-12] + "000000000000"
    refused = ask(api, "create_model_card", name=f"{name}-2", kms_key_arn=missing)
    assert refused.status == 400, refused.text
