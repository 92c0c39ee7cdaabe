# SPDX-License-Identifier: Apache-2.0
"""The model registry from outside: train, register, approve, deploy the group, predict."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xgboost

from tests.support.http import error_shape
from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, UNSEEN, booster, csv, job, realtime, training

GROUP = "registry-models"
NAME = "mlops-pipeline-registered-modeltraining"


def registering(**changes: Any) -> dict[str, Any]:
    return training("registered", model_package_group_name=GROUP, **changes)


def serving(api: Installed, package: str, **changes: Any) -> dict[str, Any]:
    body = realtime(api, "", model_name="registered", endpoint_name="registered", model_package_name=package)
    return {key: value for key, value in body.items() if key not in ARTIFACT} | changes


ARTIFACT = ("model_framework", "model_framework_version", "model_artifact_location")


@pytest.fixture(scope="module")
def trained(api: Installed) -> dict[str, Any]:
    """A training pipeline that has registered its model."""
    api.put("registered/train.csv", csv(ROWS[:300], LABELS[:300]))
    api.put("registered/validation.csv", csv(ROWS[300:], LABELS[300:]))
    unknown = api.provision(serving(api, GROUP))
    assert (unknown.status, error_shape(unknown)["errors"][0]["code"]) == (400, "unknown_model_package")
    answer = api.provision(registering())
    assert answer.status == 200, answer.text
    pipeline: dict[str, Any] = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    return pipeline


def test_train_register_approve_deploy_predict(api: Installed, trained: dict[str, Any]) -> None:
    sagemaker = api.client("sagemaker")
    first = trained["job"]["registered"]
    assert first.endswith(f":model-package/{GROUP}/1")
    package = sagemaker.describe_model_package(ModelPackageName=first)
    made = job(api, trained)
    check_package(package, made)
    check_statistics(api, package, made)
    assert api.get(f"pipelines/{NAME}/runs").body["runs"][0]["job"]["registered"] == first

    # not approved yet
    for name in (GROUP, first, f"{GROUP}/1"):
        pending = api.provision(serving(api, name))
        assert pending.status == 409, pending.text
        (problem,) = error_shape(pending)["errors"]
        assert (problem["path"], problem["code"]) == ("/model_package_name", "not_approved")
        assert "PendingManualApproval" in problem["problem"]
        assert "mlops models approve" in problem["hint"]
        assert "Retry-After" not in pending.headers
    assert nothing_exists(api, "mlops-pipeline-registered-byompipelinerealtimebuiltin")

    # approve, deploy by the group's name
    sagemaker.update_model_package(ModelPackageArn=first, ModelApprovalStatus="Approved")
    answer = api.insisting(serving(api, GROUP))
    assert answer.status == 200, answer.text
    assert answer.body["resolved"] == {"model_package_name": {"group": GROUP, "version": 1, "model_package": first}}
    served = api.ended(answer.body["pipeline_id"])
    assert served["status"] == "Succeeded", served
    predicted = api.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="registered", ContentType="text/csv", Body=csv(UNSEEN)
    )
    scores = [float(score) for score in predicted["Body"].read().decode().replace("\n", ",").strip(",").split(",")]
    assert np.allclose(scores, booster(api, made).predict(xgboost.DMatrix(UNSEEN)), atol=1e-5)
    assert "No updates are to be performed" in api.provision(serving(api, GROUP)).body["message"]
    assert "No updates are to be performed" in api.provision(serving(api, first)).body["message"]

    # a second version, approved as it is registered: the same request deploys it
    again = api.ended(api.insisting(registering(model_approval_status="Approved")).body["pipeline_id"])
    second = again["job"]["registered"]
    assert second.endswith(f"{GROUP}/2")
    newer = api.insisting(serving(api, GROUP))
    assert "Updating template parameters" in newer.body["message"], newer.text
    assert newer.body["resolved"]["model_package_name"]["version"] == 2
    served = api.ended(newer.body["pipeline_id"])
    assert served["status"] == "Succeeded", served
    model = sagemaker.describe_model(ModelName=served["outputs"]["SageMakerModelName"])
    assert model["PrimaryContainer"]["ModelPackageName"] == second

    # rejected: what serves goes on, nothing is deployed anew
    sagemaker.update_model_package(ModelPackageArn=second, ModelApprovalStatus="Rejected")
    assert "No updates are to be performed" in api.provision(serving(api, second)).body["message"]
    rejected = api.provision(serving(api, second, rerun=True))
    assert rejected.status == 409
    assert "registry-models/2 is Rejected" in rejected.body["errors"][0]["problem"]


def check_package(package: dict[str, Any], made: dict[str, Any]) -> None:
    """A version has what serves the model, where it comes from, and its metrics."""
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["InferenceSpecification"]["Containers"] == [
        {
            "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
            "ModelDataUrl": made["ModelArtifacts"]["S3ModelArtifacts"],
        }
    ]
    assert package["InferenceSpecification"]["SupportedContentTypes"] == ["text/csv"]
    assert package["MetadataProperties"]["GeneratedBy"] == made["TrainingJobArn"]
    assert package["CustomerMetadataProperties"]["job"] == made["TrainingJobName"]


def check_statistics(api: Installed, package: dict[str, Any], made: dict[str, Any]) -> None:
    """The metrics lie beside the artifact, as SageMaker's statistics of a binary classification."""
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]
    folder = made["ModelArtifacts"]["S3ModelArtifacts"].rpartition("/")[0]
    assert statistics == {"ContentType": "application/json", "S3Uri": f"{folder}/statistics.json"}
    key = statistics["S3Uri"].removeprefix(f"s3://{api.assets_bucket}/")
    found = api.client("s3").get_object(Bucket=api.assets_bucket, Key=key)
    assert found["ContentType"] == "application/json"
    final = {one["MetricName"]: one["Value"] for one in made["FinalMetricDataList"]}
    measured = {name.removeprefix("validation:"): value for name, value in final.items() if "validation:" in name}
    assert measured.keys() == {"auc", "logloss"}
    document = json.loads(found["Body"].read())
    assert document == {
        "binary_classification_metrics": {
            name: {"value": pytest.approx(value), "standard_deviation": "NaN"} for name, value in measured.items()
        }
    }
    properties = package["CustomerMetadataProperties"]
    assert {name: float(properties[name]) for name in final} == {
        name: pytest.approx(value) for name, value in final.items()
    }


def nothing_exists(api: Installed, name: str) -> bool:
    """No stack and no bundle of a pipeline."""
    listed: Any = api.client("s3").list_objects_v2(
        Bucket=api.bundle_bucket, Prefix=f"mlops_provisioned_pipelines/{name}/"
    )
    return listed["KeyCount"] == 0 and api.get(f"pipelines/{name}").status == 404


def test_a_model_that_cannot_be_registered_fails_the_run_and_says_why(api: Installed) -> None:
    """A policy on the group's name denies the state machine; the artifact is there all the same."""
    api.put("unregistered/train.csv", csv(ROWS[:60], LABELS[:60]))
    body = training("unregistered", validation_data="", model_package_group_name="registry-denied")
    role = deny_registration(
        api, api.ended(api.provision({**body, "model_package_group_name": ""}).body["pipeline_id"])
    )
    failed = api.ended(api.insisting(body).body["pipeline_id"])
    assert failed["status"] == "Failed", failed
    assert "Registration in the model package group registry-denied of Training job" in failed["reason"]
    assert "sagemaker:CreateModelPackage " in failed["reason"]
    assert role in failed["reason"]
    assert failed["job"]["artifact"]
    assert failed["job"]["registered"] is None


def deny_registration(api: Installed, trained: dict[str, Any]) -> str:
    """Deny the role of a pipeline's state machine to register versions."""
    resources = api.client("cloudformation").describe_stack_resources(StackName=trained["name"])["StackResources"]
    (role,) = [one["PhysicalResourceId"] for one in resources if one["LogicalResourceId"] == "StateMachineRole"]
    statement = {"Effect": "Deny", "Action": "sagemaker:CreateModelPackage", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    api.client("iam").put_role_policy(RoleName=role, PolicyName="deny", PolicyDocument=json.dumps(policy))
    return str(role)
