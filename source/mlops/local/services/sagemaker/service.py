# SPDX-License-Identifier: Apache-2.0
"""What every part of SageMaker shares: its two APIs, its store, names and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chalicelib.job_kinds import JOB_KINDS

from mlops.local.kit import identity
from mlops.local.kit.api import Api
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.state.store import Store

PRINCIPAL = "sagemaker.amazonaws.com"

sagemaker = Api("sagemaker")
runtime = Api("sagemaker-runtime")
store = Store("sagemaker")

# The kinds of resources, each with its part of an ARN.
ARN_KINDS = {
    **{kind.key: kind.arn for kind in JOB_KINDS.values()},
    "Model": "model",
    "EndpointConfig": "endpoint-config",
    "Endpoint": "endpoint",
    "ModelCard": "model-card",
    "ModelPackageGroup": "model-package-group",
    "ModelPackage": "model-package",
}
_CREATES = {kind.create: f"{kind.key}Name" for kind in JOB_KINDS.values()}  # operation -> the member that names the job
# Lists of what belongs to one resource, which policies name.
_LISTS_OF_ONE = ("ListModelCardExportJobs", "ListModelCardVersions", "ListTags")
_NAMED_BY = {f"{kind}Name": part for kind, part in ARN_KINDS.items()}  # the member that names a resource


def now() -> datetime:
    """The time to the millisecond, which is what SageMaker keeps."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def arn(caller: Caller, kind: str, name: str) -> str:
    """A SageMaker ARN. Names keep their case, and IAM compares with case."""
    return f"arn:aws:sagemaker:{caller.region}:{caller.account_id}:{kind}/{name}"


def invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)


def refuse_other_account(operation: str, name_or_arn: str, caller: Caller) -> None:
    """Refuse what belongs to another account: no account shares anything with the laptop account."""
    if name_or_arn.startswith("arn:") and name_or_arn.split(":")[4] != caller.account_id:
        raise ApiError(
            "AccessDeniedException",
            f"User: {caller.arn} is not authorized to perform: sagemaker:{operation} on resource: {name_or_arn} "
            f"because no resource-based policy allows the sagemaker:{operation} action",
        )


@sagemaker.resources
def _resources(operation: str, request: dict[str, Any], caller: Caller) -> list[str]:
    """The ARNs that a caller's policies must allow."""
    if operation == "ListModelPackages":
        group = request.get("ModelPackageGroupName", "*").rpartition("/")[2]
        return [arn(caller, "model-package", f"{group}/*")]
    if operation.startswith("List") and operation not in _LISTS_OF_ONE:
        return ["*"]
    if "ResourceArn" in request:
        return [request["ResourceArn"]]
    if "ModelPackageArn" in request:
        return [request["ModelPackageArn"]]
    if "ModelCardExportJobArn" in request:
        return [request["ModelCardExportJobArn"]]
    if operation == "CreateModelPackage":
        group = request.get("ModelPackageGroupName", "").rpartition("/")[2]
        return [arn(caller, "model-package", f"{group}/*" if group else request.get("ModelPackageName", "*"))]
    if "ModelPackageArnList" in request:
        return list(request["ModelPackageArnList"])
    # Who creates a job needs permissions on the job alone, and not on the model that a transform job names.
    created = _CREATES.get(operation)
    named = [
        request[member] if request[member].startswith("arn:") else arn(caller, kind, request[member])
        for member, kind in _NAMED_BY.items()
        if isinstance(request.get(member), str) and created in (None, member)
    ]
    return named or ["*"]


@runtime.resources
def _runtime_resources(operation: str, request: dict[str, Any], caller: Caller) -> list[str]:
    return [arn(caller, "endpoint", request["EndpointName"])]


def put_event(caller: Caller, subject: str, detail: dict[str, Any], resource_arn: str) -> None:
    """SageMaker's event of a state change, with times in milliseconds as it writes them."""
    identity.put_event(caller, "aws.sagemaker", f"SageMaker {subject} State Change", _plain(detail), [resource_arn])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value.timestamp() * 1000) if isinstance(value, datetime) else value
