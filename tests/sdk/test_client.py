# SPDX-License-Identifier: Apache-2.0
"""The SageMaker SDK works with the laptop account; our pipelines ask of SageMaker what it asks for the same inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import numpy as np
import pytest
import xgboost

from tests.support import sdk
from tests.support.installed import Installed
from tests.support.naming import unique
from tests.support.requests import LABELS, ROWS, UNSEEN, csv, realtime, training, unpacked
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
HYPERPARAMETERS = {"objective": "binary:logistic", "num_round": "10", "eval_metric": "auc,logloss"}
STATIC = {"objective": "binary:logistic", "num_round": "4"}
TUNER = {
    "objective_metric_name": "validation:auc",
    "objective_type": "Maximize",
    "strategy": "Random",
    "max_jobs": 2,
    "max_parallel_jobs": 2,
    "random_seed": 7,
}
MODEL = botocore.session.get_session().get_service_model("sagemaker")

# What is called differently each time, and what only AWS knows.
NAMES = {
    "TrainingJobName",
    "HyperParameterTuningJobName",
    "TransformJobName",
    "AutoMLJobName",
    "ModelName",
    "EndpointConfigName",
    "EndpointName",
    "RoleArn",
    "ExecutionRoleArn",
    "Tags",
}
# Where a request of ours and the SDK's differ although their inputs are the same: the path, and why.
DEFINITION, TABULAR = "/TrainingJobDefinition", "/AutoMLProblemTypeConfig/TabularJobConfig"
DEFAULT = "SageMaker's default, which one of them writes out"
CHANNELS = {
    f"/InputDataConfig/{channel}/{member}": DEFAULT
    for channel in ("train", "validation")
    for member in ("CompressionType", "RecordWrapperType")
}
DIFFERENT: Mapping[str, Mapping[str, str]] = {
    "CreateTrainingJob": {
        **CHANNELS,
        "/EnableNetworkIsolation": DEFAULT,
        "/InputDataConfig/train/InputMode": DEFAULT,
        "/InputDataConfig/validation/InputMode": DEFAULT,
        "/OutputDataConfig/CompressionType": DEFAULT,
    },
    "CreateHyperParameterTuningJob": {
        **{f"{DEFINITION}{path}": why for path, why in CHANNELS.items()},
        f"{DEFINITION}/EnableInterContainerTrafficEncryption": "the SDK's tuner leaves it out",
        f"{DEFINITION}/EnableNetworkIsolation": DEFAULT,
        f"{DEFINITION}/OutputDataConfig/CompressionType": DEFAULT,
        f"{DEFINITION}/StaticHyperParameters/_tuning_objective_metric": "added by SageMaker",
    },
    "CreateTransformJob": {
        "/DataProcessing/JoinSource": DEFAULT,
        "/MaxConcurrentTransforms": DEFAULT,
        "/MaxPayloadInMB": DEFAULT,
        "/ModelClientConfig/InvocationsMaxRetries": DEFAULT,
        "/ModelClientConfig/InvocationsTimeoutInSeconds": DEFAULT,
        "/TransformInput/CompressionType": DEFAULT,
        "/TransformOutput/Accept": "the same type as the input's is asked for; the SDK leaves it to the container",
        "/TransformOutput/AssembleWith": "lines are split, so lines are written",
        "/TransformOutput/S3OutputPath": "each job has a prefix of its own, so that a repeat replaces nothing",
    },
    "CreateAutoMLJobV2": {
        "/AutoMLJobInputDataConfig/0/CompressionType": DEFAULT,
        f"{TABULAR}/CompletionCriteria/MaxAutoMLJobRuntimeInSeconds": "misspelt by SDK 3.27",
        f"{TABULAR}/GenerateCandidateDefinitionsOnly": DEFAULT,
    },
    "CreateModel": {"/EnableNetworkIsolation": DEFAULT},
    "CreateEndpointConfig": {
        f"/DataCaptureConfig/CaptureContentTypeHeader/{types}/0": "CSV and JSON are captured as text, not in Base64"
        for types in ("CsvContentTypes", "JsonContentTypes")
    },
}
# The values of those that are SageMaker's default; 0 is False, too.
DEFAULTS = {None, 0, 3, 6, 600, "None", "File", "GZIP"}


@pytest.fixture(scope="module")
def folder(api: Installed) -> str:
    """A folder of the assets bucket with data."""
    name = unique("sdk")
    api.put(f"{name}/train.csv", csv(ROWS[:200], LABELS[:200]))
    api.put(f"{name}/validation.csv", csv(ROWS[300:], LABELS[300:]))
    api.put(f"{name}/unseen.csv", csv(UNSEEN))
    api.put(f"{name}/named.csv", ",".join(["y", *"abcdef"]) + "\n" + csv(np.tile(ROWS, (2, 1)), np.tile(LABELS, 2)))
    return name


@pytest.fixture(scope="module")
def client(api: Installed, sdk_python: Path, folder: str) -> dict[str, Any]:
    """What a client with the SDK did, see its program."""
    given = {
        "name": folder,
        "bucket": api.assets_bucket,
        "role": trusted_role(api, "sagemaker.amazonaws.com"),
        "image": IMAGE,
        "channels": {"train": f"{folder}/train.csv", "validation": f"{folder}/validation.csv"},
        "output": f"{folder}/output",
        "transformed": f"{folder}/transformed",
        "captured": f"{folder}/captured",
        "unseen": f"{folder}/unseen.csv",
        "rows": csv(UNSEEN),
        "compute": {
            "instance_type": "ml.m5.large",
            "instance_count": 1,
            "volume_size_in_gb": 20,
            "enable_managed_spot_training": True,
        },
        "stopping_condition": {"max_runtime_in_seconds": 86400, "max_wait_time_in_seconds": 172800},
        "hyperparameters": HYPERPARAMETERS,
        "tuning": {
            "hyperparameters": STATIC,
            "objective": TUNER["objective_metric_name"],
            "eta": [0.1, 0.5],
            "max_depth": [1, 5],
        },
        "automl": {
            "name": unique("sdk-am"),
            "data": f"{folder}/named.csv",
            "target": "y",
            "criteria": {"max_candidates": 2, "max_runtime_per_training_job_in_seconds": 600},
        },
    }
    answer: dict[str, Any] = sdk.ask(sdk_python, "client", given, 240, **sdk.account(api))
    return answer


@pytest.fixture(scope="module")
def ours(api: Installed, folder: str, client: dict[str, Any]) -> dict[str, Any]:
    """What our pipelines asked of SageMaker for the same inputs, by operation."""
    sagemaker = api.client("sagemaker")
    common = training(
        folder,
        model_name=folder,
        instance_type="ml.m5.large",
        training_data=f"{folder}/train.csv",
        validation_data=f"{folder}/validation.csv",
        job_output_location=f"{folder}/output",
        algo_hyperparameters=HYPERPARAMETERS,
    )
    artifact = sagemaker.describe_model(ModelName=folder)["PrimaryContainer"]["ModelDataUrl"]
    key = artifact.removeprefix(f"s3://{api.assets_bucket}/")
    served = realtime(
        api, key, model_name=folder, endpoint_name="", data_capture_location=f"{api.assets_bucket}/{folder}/captured"
    )
    batch = {key: value for key, value in served.items() if key not in ("endpoint_name", "data_capture_location")}
    bodies = {
        "training": common,
        "tuning": {
            **common,
            "pipeline_type": "model_tuner_builtin",
            "algo_hyperparameters": STATIC,
            "tuner_configs": TUNER,
            "hyperparameters_ranges": {
                "eta": ["continuous", [0.1, 0.5], "Logarithmic"],
                "max_depth": ["integer", [1, 5]],
            },
        },
        "serving": served,
        "batch": {
            **batch,
            "pipeline_type": "byom_batch_builtin",
            "batch_inference_data": f"{api.assets_bucket}/{folder}/unseen.csv",
            "batch_job_output_location": f"{api.assets_bucket}/{folder}/transformed",
        },
        "autopilot": {
            "pipeline_type": "model_autopilot_training",
            "model_name": folder,
            "training_data": f"{folder}/named.csv",
            "job_output_location": f"{folder}/output",
            "target_attribute": "y",
            "job_max_candidates": 2,
            "max_runtime_per_job": 600,
            "total_max_runtime": 3600,
        },
    }
    answers = {kind: api.provision(body) for kind, body in bodies.items()}
    for answer in answers.values():
        assert answer.status == 200, answer.text
    ids = {kind: answer.body["pipeline_id"] for kind, answer in answers.items()}
    jobs = {kind: started(api, ids[kind]) for kind in ("training", "tuning", "batch", "autopilot")}
    api.post(f"pipelines/{answers['autopilot'].body['name']}/stop", "")  # what it asked for is known
    ended = {"serving": api.ended(ids["serving"])}
    outputs = ended["serving"]["outputs"]
    described = {
        "CreateTrainingJob": sagemaker.describe_training_job(TrainingJobName=jobs["training"]),
        "CreateHyperParameterTuningJob": sagemaker.describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=jobs["tuning"]
        ),
        "CreateTransformJob": sagemaker.describe_transform_job(TransformJobName=jobs["batch"]),
        "CreateAutoMLJobV2": sagemaker.describe_auto_ml_job_v2(AutoMLJobName=jobs["autopilot"]),
        "CreateModel": sagemaker.describe_model(ModelName=outputs["SageMakerModelName"]),
        "CreateEndpointConfig": sagemaker.describe_endpoint_config(
            EndpointConfigName=outputs["SageMakerEndpointConfigName"]
        ),
    }
    return {operation: asked(operation, document) for operation, document in described.items()}


def started(api: Installed, pipeline_id: str) -> str:
    """The name of the job of a pipeline, once it has one."""

    def job() -> Any:
        pipeline = api.status(pipeline_id)
        assert pipeline["status"] != "Failed" or pipeline["job"], pipeline["reason"]
        return pipeline["job"]

    name: str = wait_for(job, 120)["name"]
    return name


def asked(operation: str, described: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a description that was asked for: the members that a create call has."""
    shape = MODEL.operation_model(operation).input_shape
    return {name: value for name, value in described.items() if name in shape.members}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a request by their paths; entries of lists by their names where they have one."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key not in NAMES:
                yield from flat(one, f"{path}/{key}")
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            named = isinstance(one, Mapping) and (one.get("ChannelName") or one.get("Name") or one.get("CaptureMode"))
            yield from flat(one, f"{path}/{named or index}")
    else:
        yield path, value


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    left, right = dict(flat(ours)), dict(flat(theirs))
    return {
        path: (left.get(path), right.get(path)) for path in sorted({*left, *right}) if left.get(path) != right.get(path)
    }


def test_a_client_with_the_sdk_does_everything(api: Installed, client: dict[str, Any], folder: str) -> None:
    assert client["statuses"] == {
        "training": "Completed",
        "tuning": "Completed",
        "endpoint": "InService",
        "transform": "Completed",
    }
    assert len(client["trials"]) == 2
    assert client["approved"] == "Approved"
    artifact = api.client("sagemaker").describe_model(ModelName=folder)["PrimaryContainer"]["ModelDataUrl"]
    key = artifact.removeprefix(f"s3://{api.assets_bucket}/")
    s3 = api.client("s3")
    booster = unpacked(s3.get_object(Bucket=api.assets_bucket, Key=key)["Body"].read())
    written = np.array([[float(f"{value:.6g}") for value in row] for row in UNSEEN])
    expected = booster.predict(xgboost.DMatrix(written)).tolist()
    output = s3.get_object(Bucket=api.assets_bucket, Key=f"{folder}/transformed/unseen.csv.out")["Body"].read().decode()
    for text in (client["predictions"], output):
        assert [float(one) for one in text.replace("\n", ",").strip(",").split(",")] == pytest.approx(expected)


@pytest.mark.parametrize("operation", DIFFERENT)
def test_our_request_is_the_sdks_for_the_same_inputs(
    operation: str, ours: dict[str, Any], client: dict[str, Any]
) -> None:
    found = differences(ours[operation], client["requests"][operation])
    told = "\n".join(f"{path}: {one!r}, and the SDK's {other!r}" for path, (one, other) in found.items())
    assert found.keys() == DIFFERENT[operation].keys(), told
    for path, why in DIFFERENT[operation].items():
        assert why != DEFAULT or DEFAULTS.issuperset(found[path]), (path, found[path])
