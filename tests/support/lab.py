# SPDX-License-Identifier: Apache-2.0
"""SageMaker without a pipeline: its jobs, models and endpoints, with a bucket, a role and data for them."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.requests import unpacked
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
UNKNOWN_IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/my-own-algorithm:v1"
INSTANCE = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
CSV = {"ContentType": "text/csv", "SplitType": "Line"}  # the input of a transform job, and its output
CSV_OUT = {"Accept": "text/csv", "AssembleWith": "Line"}
LONG = {"num_round": "1000000", "nthread": "1"}  # hyperparameters of a job that a test stops
ALLOW_S3_AND_LOGS = [{"Effect": "Allow", "Action": ["s3:*", "logs:*"], "Resource": "*"}]


class Lab:
    """One account's bucket and role, and shortcuts for jobs, models and endpoints."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.s3, self.sagemaker = account.client("s3"), account.client("sagemaker")
        self.runtime = account.client("sagemaker-runtime")
        self.bucket = unique("lab")
        self.s3.create_bucket(Bucket=self.bucket)
        self.role = self.make_role(ALLOW_S3_AND_LOGS)

    def make_role(self, statements: list[dict[str, Any]], service: str = "sagemaker.amazonaws.com") -> str:
        return trusted_role(self.account, service, *statements)

    def put(self, key: str, body: str | bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def training_request(self, train: str, validation: str | None = None, **changes: Any) -> dict[str, Any]:
        """A CreateTrainingJob request for binary classification on CSV."""
        channels = [("train", train), *([("validation", validation)] if validation else [])]
        request: dict[str, Any] = {
            "TrainingJobName": unique("job"),
            "RoleArn": self.role,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "HyperParameters": {"objective": "binary:logistic", "num_round": "10", "eval_metric": "auc"},
            "InputDataConfig": [channel(name, uri) for name, uri in channels],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/output"},
            "ResourceConfig": INSTANCE,
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        return {**request, **changes}

    def train(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run a training job to its end."""
        self.sagemaker.create_training_job(**request)
        return self.finished(request["TrainingJobName"])

    def finished(self, name: str) -> dict[str, Any]:
        def job() -> dict[str, Any] | None:
            found: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
            return found if found["TrainingJobStatus"] in ("Completed", "Failed", "Stopped") else None

        answer: dict[str, Any] = wait_for(job)
        return answer

    def booster(self, artifact: str) -> xgboost.Booster:
        """The model in an artifact, loaded by xgboost itself."""
        key = artifact.removeprefix(f"s3://{self.bucket}/")
        return unpacked(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def model(self, artifact: str, image: str = IMAGE, **changes: Any) -> str:
        name = unique("model")
        self.sagemaker.create_model(
            **{
                "ModelName": name,
                "ExecutionRoleArn": self.role,
                "PrimaryContainer": {"Image": image, "ModelDataUrl": artifact},
                **changes,
            }
        )
        return name

    def transform_request(self, model: str, uri: str, **changes: Any) -> dict[str, Any]:
        """A CreateTransformJob request for lines of CSV, or what `changes` say of input and output."""
        name = unique("transform")
        kind = "ManifestFile" if uri.endswith(".manifest") else "S3Prefix"
        wanted: dict[str, Any] = {
            "TransformJobName": name,
            "ModelName": model,
            "TransformInput": CSV,
            "TransformOutput": CSV_OUT,
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **changes,
        }
        source = {"DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": uri}}}
        wanted["TransformInput"] = {**source, **wanted["TransformInput"]}
        wanted["TransformOutput"] = {"S3OutputPath": f"s3://{self.bucket}/out/{name}", **wanted["TransformOutput"]}
        return wanted

    def config(self, *models: str, **changes: Any) -> str:
        name = unique("config")
        self.sagemaker.create_endpoint_config(
            **{
                "EndpointConfigName": name,
                "ProductionVariants": [
                    {
                        "VariantName": f"Variant{number}" if len(models) > 1 else "AllTraffic",
                        "ModelName": model,
                        "InstanceType": "ml.m5.large",
                        "InitialInstanceCount": 1,
                    }
                    for number, model in enumerate(models, 1)
                ],
                **changes,
            }
        )
        return name

    def endpoint(self, config: str) -> str:
        name = unique("endpoint")
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        return name

    def settled(self, endpoint: str) -> dict[str, Any]:
        def state() -> dict[str, Any] | None:
            found: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=endpoint)
            return found if found["EndpointStatus"] in ("InService", "Failed") else None

        answer: dict[str, Any] = wait_for(state)
        return answer

    def invoke(self, endpoint: str, body: str, content_type: str = "text/csv", **more: Any) -> str:
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType=content_type, **more)
        text: str = answer["Body"].read().decode()
        return text


def channel(name: str, uri: str, content_type: str = "text/csv", **more: Any) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "ContentType": content_type,
        **more,
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
    }


def rows(count: int = 200, width: int = 6, seed: int = 7) -> Any:
    """Features; the label is whether the first two sum to more than zero."""
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def labels(features: Any) -> Any:
    return (features[:, 0] + features[:, 1] > 0).astype(int)


def csv(features: Any, label: Any = None) -> str:
    columns = (
        features.tolist()
        if label is None
        else [[given, *row] for given, row in zip(label.tolist(), features.tolist(), strict=True)]
    )
    return "".join(",".join(map(repr, row)) + "\n" for row in columns)


def libsvm(features: Any, label: Any = None, first: int = 0) -> str:
    lines = []
    for number, row in enumerate(features.tolist()):
        items = [f"{index}:{value!r}" for index, value in enumerate(row, first)]
        lines.append(" ".join(items if label is None else [str(label[number]), *items]))
    return "\n".join(lines) + "\n"


def artifact(folder: Path, files: dict[str, bytes]) -> bytes:
    """A model.tar.gz."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            (folder / name).write_bytes(content)
            archive.add(folder / name, name)
    return buffer.getvalue()
