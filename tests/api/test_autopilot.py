# SPDX-License-Identifier: Apache-2.0
"""An Autopilot pipeline from outside: what it searches is what was asked for, and its best candidate is deployed."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.support import messy
from tests.support.installed import Installed


def autopilot(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "pipeline_type": "model_autopilot_training",
        "model_name": name,
        "training_data": f"{name}/train.csv",
        "job_output_location": f"{name}/output",
        "target_attribute": messy.TARGET,
        **changes,
    }


def described(api: Installed, pipeline: dict[str, Any]) -> Any:
    name = pipeline["outputs"]["AutopilotJobName"]
    return api.client("sagemaker").describe_auto_ml_job_v2(AutoMLJobName=name)


@pytest.fixture(scope="module")
def searched(api: Installed) -> dict[str, Any]:
    """A pipeline whose job has found the best of four candidates; every optional key that goes together is used."""
    api.put("autopilot-keys/train.csv", messy.text(messy.rows(500)))
    api.put("autopilot-keys/validation/a.csv", messy.text(messy.rows(60, seed=4)))
    key = api.client("kms").create_key()["KeyMetadata"]["Arn"]
    answer = api.provision(
        autopilot(
            "autopilot-keys",
            validation_data="autopilot-keys/validation",
            job_name="my-own-autopilot",
            problem_type="BinaryClassification",
            job_objective="AUC",
            mode="ENSEMBLING",
            job_max_candidates="4",
            encrypt_inner_traffic="False",
            max_runtime_per_job=1200,
            total_max_runtime="2592000",
            kms_key_arn=key,
            model_package_group_name="autopilot-models",
            model_approval_status="Approved",
        )
    )
    assert answer.status == 200, answer.text
    assert [one["path"] for one in answer.body["warnings"]] == ["/total_max_runtime"], answer.body
    assert "7 days" in answer.body["warnings"][0]["problem"]
    pipeline: dict[str, Any] = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    return {**pipeline, "key": key}


def test_every_key_reaches_the_job(api: Installed, searched: dict[str, Any]) -> None:
    job = described(api, searched)
    bucket = f"s3://{api.assets_bucket}/autopilot-keys"
    assert job["AutoMLJobName"] == "my-own-autopilot"
    csv = {"ContentType": "text/csv;header=present", "CompressionType": "None"}
    assert job["AutoMLJobInputDataConfig"] == [
        {"ChannelType": kind, **csv, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
        for kind, uri in (("training", f"{bucket}/train.csv"), ("validation", f"{bucket}/validation"))
    ]
    assert job["OutputDataConfig"] == {"S3OutputPath": f"{bucket}/output", "KmsKeyId": searched["key"]}
    assert job["AutoMLProblemTypeConfig"] == {
        "TabularJobConfig": {
            "TargetAttributeName": "churned",
            "ProblemType": "BinaryClassification",
            "Mode": "ENSEMBLING",
            "GenerateCandidateDefinitionsOnly": False,
            "CompletionCriteria": {
                "MaxCandidates": 4,
                "MaxRuntimePerTrainingJobInSeconds": 1200,
                "MaxAutoMLJobRuntimeInSeconds": 2592000,
            },
        }
    }
    assert job["AutoMLJobObjective"] == {"MetricName": "AUC"}
    assert job["SecurityConfig"] == {
        "EnableInterContainerTrafficEncryption": False,
        "VolumeKmsKeyId": searched["key"],
    }
    key = job["BestCandidate"]["InferenceContainers"][0]["ModelDataUrl"].removeprefix(f"s3://{api.assets_bucket}/")
    assert key.startswith("autopilot-keys/output/my-own-autopilot/")
    model = api.client("s3").head_object(Bucket=api.assets_bucket, Key=key)
    assert model["SSEKMSKeyId"] == searched["key"]
    outputs = searched["outputs"]
    assert outputs["AutopilotJobOutputLocation"] == f"{bucket}/output"
    assert outputs["TrainingDataLocation"] == f"{bucket}/train.csv"
    assert searched["job"]["kind"] == "AutoMLJob"


def test_the_best_candidate_is_registered_as_autopilot_describes_it(api: Installed, searched: dict[str, Any]) -> None:
    package = api.client("sagemaker").describe_model_package(ModelPackageName=searched["job"]["registered"])
    best = described(api, searched)["BestCandidate"]
    assert package["ModelPackageArn"].endswith(":model-package/autopilot-models/1")
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["InferenceSpecification"]["Containers"] == best["InferenceContainers"]
    assert package["MetadataProperties"]["GeneratedBy"] == described(api, searched)["AutoMLJobArn"]
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    assert statistics.rpartition("/")[0] == best["InferenceContainers"][0]["ModelDataUrl"].rpartition("/")[0]
    written = api.client("s3").get_object(
        Bucket=api.assets_bucket, Key=statistics.removeprefix(f"s3://{api.assets_bucket}/")
    )
    assert written["SSEKMSKeyId"] == searched["key"]
    objective = best["FinalAutoMLJobObjectiveMetric"]["Value"]
    told = json.loads(written["Body"].read())["binary_classification_metrics"]
    assert told["auc"] == {"value": pytest.approx(objective), "standard_deviation": "NaN"}


def test_the_best_candidate_is_deployed_with_its_own_image(api: Installed, searched: dict[str, Any]) -> None:
    (container,) = described(api, searched)["BestCandidate"]["InferenceContainers"]
    body: dict[str, Any] = {
        "pipeline_type": "byom_realtime_custom",
        "model_name": "autopilot-best",
        "custom_image_uri": container["Image"],
        "model_artifact_location": container["ModelDataUrl"].removeprefix(f"s3://{api.assets_bucket}/"),
        "inference_instance": "ml.m5.large",
        "data_capture_location": f"{api.assets_bucket}/captured",
        "endpoint_name": "autopilot-best",
        "kms_key_arn": searched["key"],
    }
    served = api.ended(api.provision(body).body["pipeline_id"])
    assert served["status"] == "Succeeded", served
    assert set(predicted(api, "autopilot-best")) <= {"yes", "no"}
    del body["model_artifact_location"]
    taken = api.provision({**body, "model_from": searched["name"]})
    assert taken.status == 400, taken.text
    assert [one["path"] for one in taken.body["errors"]] == ["/model_from"]
    assert "containers of its own" in taken.body["errors"][0]["problem"]


def test_the_registered_candidate_is_deployed(api: Installed, searched: dict[str, Any]) -> None:
    answer = api.provision(
        {
            "pipeline_type": "byom_realtime_custom",
            "model_name": "autopilot-registered",
            "model_package_name": searched["job"]["registered"],
            "inference_instance": "ml.m5.large",
            "data_capture_location": f"{api.assets_bucket}/captured",
            "endpoint_name": "autopilot-registered",
            "kms_key_arn": searched["key"],
        }
    )
    assert answer.status == 200, answer.text
    served = api.ended(answer.body["pipeline_id"])
    assert served["status"] == "Succeeded", served
    assert set(predicted(api, "autopilot-registered")) <= {"yes", "no"}


def predicted(api: Installed, endpoint: str) -> list[str]:
    """What an endpoint answers to a few raw rows."""
    rows = messy.raw(messy.rows(5, seed=6))
    answer = api.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=rows, ContentType="text/csv")
    labels: list[str] = answer["Body"].read().decode().split()
    assert len(labels) == 5
    return labels


def test_definitions_alone_make_a_run_without_a_model(api: Installed) -> None:
    weighted = [[*row[:-1], "2", row[-1]] for row in messy.rows(500)]
    api.put("autopilot-defined/train/a.csv.gz", gzip.compress(messy.text(weighted, WEIGHTED).encode()))
    answer = api.provision(
        autopilot(
            "autopilot-defined",
            training_data="autopilot-defined/train",
            sample_weight_attribute="weight",
            mode="ENSEMBLING",
            validation_fraction=0.3,
            compression_type="Gzip",
            generate_definition_only="True",
        )
    )
    assert answer.status == 200, answer.text
    assert "warnings" not in answer.body
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    job = described(api, pipeline)
    assert job["AutoMLJobName"].startswith("autopilot-defined-autopilot-")
    assert job["AutoMLJobSecondaryStatus"] == "CandidateDefinitionsGenerated"
    assert "BestCandidate" not in job
    assert "AutoMLJobObjective" not in job
    assert job["DataSplitConfig"] == {"ValidationFraction": pytest.approx(0.3)}
    (channel,) = job["AutoMLJobInputDataConfig"]
    assert channel["CompressionType"] == "Gzip"
    config = job["AutoMLProblemTypeConfig"]["TabularJobConfig"]
    assert config["SampleWeightAttributeName"] == "weight"
    assert config["CompletionCriteria"]["MaxAutoMLJobRuntimeInSeconds"] == 518400
    assert job["SecurityConfig"] == {"EnableInterContainerTrafficEncryption": True}


WEIGHTED = (*messy.HEADER[:-1], "weight", messy.HEADER[-1])


@pytest.mark.parametrize(
    ("changes", "path", "problem"),
    [
        ({"problem_type": "Regression"}, "/job_objective", "is missing, and /problem_type 'Regression' requires it"),
        ({"job_objective": "F1"}, "/problem_type", "is missing, and /job_objective requires it"),
        (
            {"problem_type": "Regression", "job_objective": "AUC"},
            "/job_objective",
            "'AUC' cannot be used with /problem_type 'Regression'",
        ),
        ({"job_objective": "WAPE"}, "/job_objective", "'WAPE' is not an allowed value"),
        ({"problem_type": "regression"}, "/problem_type", "'regression' is not an allowed value"),
        ({"job_name": "a" * 33}, "/job_name", "has 33 characters"),
        ({"job_max_candidates": 751}, "/job_max_candidates", "751 is too large"),
        ({"total_max_runtime": 2592001}, "/total_max_runtime", "2592001 is too large"),
        ({"validation_fraction": "1.5"}, "/validation_fraction", "'1.5' is not a number greater than 0"),
        ({"validation_fraction": 0.2, "validation_data": "a/b"}, "/validation_fraction", "cannot be used with"),
        ({"sample_weight_attribute": "w"}, "/mode", "is missing, and /sample_weight_attribute requires it"),
        (
            {"model_package_group_name": "g", "generate_definition_only": True},
            "/generate_definition_only",
            "cannot be used",
        ),
        ({"content_type": "text/csv"}, "/content_type", "'text/csv' is not an allowed value"),
        ({"target_attribute": ""}, "/target_attribute", "is missing"),
        ({"targte_attribute": "a"}, "/targte_attribute", "is an unknown key"),
    ],
)
def test_a_wrong_request_is_refused_with_the_place(
    api: Installed, changes: dict[str, Any], path: str, problem: str
) -> None:
    answer = api.provision(autopilot("autopilot-wrong", **changes))
    assert answer.status == 400, answer.text
    found = {one["path"]: one["problem"] for one in answer.body["errors"]}
    assert problem in found[path], answer.body
