# SPDX-License-Identifier: Apache-2.0
"""Requests for pipelines of the types that ship, the data they train on, and what came of them."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import numpy as np
import xgboost

from tests.support.installed import Installed
from tests.support.naming import unique

RNG = np.random.default_rng(7)
ROWS = RNG.normal(size=(400, 6))
LABELS = (ROWS[:, 0] + ROWS[:, 1] * ROWS[:, 2] > 0).astype(int)
UNSEEN = RNG.normal(size=(40, 6))
LONG = {"objective": "binary:logistic", "num_round": 2_000_000, "nthread": 1}  # a job that a test stops


def csv(rows: Any, labels: Any = None) -> str:
    table = rows if labels is None else np.column_stack([labels, rows])
    return "\n".join(",".join(f"{value:.6g}" for value in row) for row in table)


def training(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "pipeline_type": "model_training_builtin",
        "model_name": name,
        "training_data": f"{name}/train.csv",
        "validation_data": f"{name}/validation.csv",
        "job_output_location": f"{name}/output",
        "model_framework": "xgboost",
        "model_framework_version": "1.7-1",
        "algo_hyperparameters": {"objective": "binary:logistic", "num_round": 20, "eval_metric": "auc,logloss"},
        **changes,
    }


def realtime(api: Installed, artifact: str, **changes: Any) -> dict[str, Any]:
    """A request to serve an artifact of the assets bucket."""
    return {
        "pipeline_type": "byom_realtime_builtin",
        "model_name": "first",
        "model_framework": "xgboost",
        "model_framework_version": "1.7-1",
        "model_artifact_location": artifact,
        "inference_instance": "ml.m5.large",
        "data_capture_location": f"{api.assets_bucket}/captured",
        "endpoint_name": "first",
        **changes,
    }


def network(api: Installed) -> tuple[str, str]:
    """The IDs of a subnet and a security group of a new VPC."""
    ec2 = api.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    return subnet, ec2.create_security_group(GroupName=unique("group"), Description="d", VpcId=vpc)["GroupId"]


def batch(api: Installed, artifact: str, **changes: Any) -> dict[str, Any]:
    """A request to run an artifact of the assets bucket over batch/unseen.csv."""
    return {
        "pipeline_type": "byom_batch_builtin",
        "model_name": "batch",
        "model_framework": "xgboost",
        "model_framework_version": "1.7-1",
        "model_artifact_location": artifact,
        "inference_instance": "ml.m5.large",
        "batch_inference_data": f"{api.assets_bucket}/batch/unseen.csv",
        "batch_job_output_location": f"{api.assets_bucket}/batch/predictions/",
        **changes,
    }


def job(api: Installed, pipeline: dict[str, Any]) -> Any:
    """The training job of a pipeline, as SageMaker describes it."""
    name = pipeline["outputs"]["TrainingJobName"]
    return api.client("sagemaker").describe_training_job(TrainingJobName=name)


def artifact(api: Installed, described: Any) -> str:
    """The key of what a job made, in the assets bucket."""
    location: str = described["ModelArtifacts"]["S3ModelArtifacts"]
    return location.removeprefix(f"s3://{api.assets_bucket}/")


def booster(api: Installed, described: Any) -> xgboost.Booster:
    """What a job made, loaded by xgboost itself."""
    packed = api.client("s3").get_object(Bucket=api.assets_bucket, Key=artifact(api, described))["Body"].read()
    return unpacked(packed)


def unpacked(packed: bytes) -> xgboost.Booster:
    """The model in a model.tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        file = archive.extractfile("xgboost-model")
        assert file is not None
        return xgboost.Booster(model_file=bytearray(file.read()))
