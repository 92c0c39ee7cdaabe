# SPDX-License-Identifier: Apache-2.0
"""Models: an image, an artifact and the role that may read it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import listing, model_packages, networks, storage, tags
from mlops.local.services.sagemaker.service import PRINCIPAL, arn, invalid, now, put_event, sagemaker, store
from mlops.local.state.store import Record

_models = store.table("Model")


def find(name: str, caller: Caller) -> Record:
    if name not in _models:
        raise invalid(f'Could not find model "{arn(caller, "model", name)}".')
    return _models[name]


def containers(model: Record) -> list[dict[str, Any]]:
    """The containers of a model; what comes from a model package is looked up there."""
    given = model.get("Containers") or [model["PrimaryContainer"]]
    return [found for container in given for found in _resolve(container)]


def _resolve(container: dict[str, Any]) -> list[dict[str, Any]]:
    if "ModelPackageName" not in container:
        return [container]
    return [
        {**packaged, "Environment": {**packaged.get("Environment", {}), **container.get("Environment", {})}}
        for packaged in model_packages.inference_containers(container["ModelPackageName"])
    ]


def artifact(container: dict[str, Any]) -> str | None:
    """Where a container's model lies: an object, or a prefix for uncompressed models."""
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    uri: str | None = container.get("ModelDataUrl") or source.get("S3Uri")
    return uri


@sagemaker.operation("CreateModel")
def create_model(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = request["ModelName"]
    model_arn = arn(caller, "model", name)
    _check_containers(request, caller)
    role_arn = request.get("ExecutionRoleArn")
    if not role_arn:
        raise invalid("One or more parameters were invalid: ExecutionRoleArn is required to create a model.")
    identity.check_role(role_arn, PRINCIPAL, caller, model_arn)
    _check_artifacts(request, role_arn, caller, model_arn)
    networks.check(request, role_arn, caller)
    record = {
        **{member: value for member, value in request.items() if member != "Tags"},
        "ModelArn": model_arn,
        "CreationTime": now(),
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
    }
    with _models.lock:
        if name in _models:
            raise invalid(f'Cannot create already existing model "{model_arn}".')
        tags.attach(model_arn, request, caller)
        _models[name] = record
    put_event(
        caller,
        "Model",
        {
            "ModelName": name,
            "ModelArn": model_arn,
            "CreationTime": record["CreationTime"],
            "ExecutionRoleArn": role_arn,
            "Tags": tags.of(model_arn),
        },
        model_arn,
    )
    return {"ModelArn": model_arn}


def _check_containers(request: dict[str, Any], caller: Caller) -> None:
    if bool(request.get("PrimaryContainer")) == bool(request.get("Containers")):
        raise invalid("One or more parameters were invalid: specify either PrimaryContainer or Containers.")
    for container in request.get("Containers") or [request["PrimaryContainer"]]:
        if bool(container.get("Image")) == bool(container.get("ModelPackageName")):
            raise invalid("A container needs either an Image or a ModelPackageName, and not both.")
        if container.get("Mode") == "MultiModel":
            raise invalid("The laptop account does not serve multi-model containers.")
        if "ModelPackageName" in container:
            model_packages.check_deployable(container["ModelPackageName"], caller)
            if artifact(container):
                raise invalid("ModelDataUrl cannot be specified along with ModelPackageName.")


def _check_artifacts(request: dict[str, Any], role_arn: str, caller: Caller, model_arn: str) -> None:
    """SageMaker looks for the artifact before it makes a model of it."""
    s3 = identity.role_session(role_arn, PRINCIPAL, caller, model_arn).client("s3")
    for container in containers(request):
        uri = container.get("ModelDataUrl")
        if uri is None:
            continue
        bucket, key = storage.split(uri)
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                raise invalid(f"Could not find model data at {uri}.") from error
            raise invalid(
                f'Could not access model data at {uri}. Please ensure that the role "{role_arn}" exists and that its '
                'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                f'"{PRINCIPAL}". Also ensure that the role has "s3:GetObject" permissions and that the object is '
                f"located in {caller.region}."
            ) from error


@sagemaker.operation("DescribeModel")
def describe_model(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return find(request["ModelName"], caller)


@sagemaker.operation("ListModels")
def list_models(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return listing.page("Model", _models.values(), request)


@sagemaker.operation("DeleteModel")
def delete_model(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    with _models.lock:
        model = find(request["ModelName"], caller)
        del _models[request["ModelName"]]
    tags.forget(model["ModelArn"])
    return {}
