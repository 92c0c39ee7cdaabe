# SPDX-License-Identifier: Apache-2.0
"""Tags of SageMaker's resources, kept by ARN."""

from __future__ import annotations

from typing import Any

from mlops.local.kit import identity
from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker.service import ARN_KINDS, invalid, sagemaker, store

_LIMIT = 50
_tags = store.table("Tags")


def attach(resource_arn: str, request: dict[str, Any], caller: Caller) -> None:
    """Tags given with a create call; they need the permission to tag as well."""
    if request.get("Tags"):
        identity.authorize(caller, "sagemaker:AddTags", [resource_arn])
        _add(resource_arn, request["Tags"])


def of(resource_arn: str) -> dict[str, str]:
    found: dict[str, str] = _tags.get(resource_arn, {}).get("Tags", {})
    return found


def forget(resource_arn: str) -> None:
    _tags.pop(resource_arn, None)


def _add(resource_arn: str, tags: list[dict[str, str]]) -> None:
    merged = {**of(resource_arn), **{tag["Key"]: tag["Value"] for tag in tags}}
    if len({tag["Key"] for tag in tags}) != len(tags):
        raise invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if len(merged) > _LIMIT:
        raise invalid(f"The number of tags exceeds the limit of {_LIMIT} for {resource_arn}.")
    _tags[resource_arn] = {"Tags": merged}


def _check_exists(resource_arn: str) -> None:
    """A resource that can have tags; those that are made with tags are given them by `attach`."""
    if not any(record.get(f"{kind}Arn") == resource_arn for kind in ARN_KINDS for record in store.table(kind).values()):
        raise invalid(f'Could not find resource "{resource_arn}".')


def _listed(resource_arn: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in of(resource_arn).items()]


@sagemaker.operation("AddTags")
def add_tags(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    _check_exists(request["ResourceArn"])
    _add(request["ResourceArn"], request["Tags"])
    return {"Tags": _listed(request["ResourceArn"])}


@sagemaker.operation("ListTags")
def list_tags(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    _check_exists(request["ResourceArn"])
    return {"Tags": _listed(request["ResourceArn"])}


@sagemaker.operation("DeleteTags")
def delete_tags(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    _check_exists(request["ResourceArn"])
    kept = {key: value for key, value in of(request["ResourceArn"]).items() if key not in request["TagKeys"]}
    _tags[request["ResourceArn"]] = {"Tags": kept}
    return {}
