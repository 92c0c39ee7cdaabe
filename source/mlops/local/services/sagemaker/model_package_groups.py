# SPDX-License-Identifier: Apache-2.0
"""The model registry's groups: all versions of one model."""

from __future__ import annotations

from typing import Any

from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import listing, tags
from mlops.local.services.sagemaker.service import arn, invalid, now, sagemaker, store
from mlops.local.state.store import Record

_groups = store.table("ModelPackageGroup")


def find(name_or_arn: str, caller: Caller) -> Record:
    name = name_or_arn.rsplit("/", 1)[-1]
    found = next(
        (group for key, group in _groups.items() if key == name or group["ModelPackageGroupArn"] == name_or_arn), None
    )
    if found is None:
        raise invalid(f"ModelPackageGroup {arn(caller, 'model-package-group', name)} does not exist.")
    return found


@sagemaker.operation("CreateModelPackageGroup")
def create_model_package_group(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = request["ModelPackageGroupName"]
    group_arn = arn(caller, "model-package-group", name)
    with _groups.lock:
        if name in _groups:
            raise invalid(f"Model Package Group already exists: {group_arn}")
        tags.attach(group_arn, request, caller)
        _groups[name] = {
            **{member: value for member, value in request.items() if member != "Tags"},
            "ModelPackageGroupArn": group_arn,
            "CreationTime": now(),
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
        }
    return {"ModelPackageGroupArn": group_arn}


@sagemaker.operation("DescribeModelPackageGroup")
def describe_model_package_group(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return find(request["ModelPackageGroupName"], caller)


@sagemaker.operation("ListModelPackageGroups")
def list_model_package_groups(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Groups of this account; no other account shares any with it."""
    shared = request.get("CrossAccountFilterOption") == "CrossAccount"
    return listing.page("ModelPackageGroup", [] if shared else _groups.values(), request, default_order="Ascending")


@sagemaker.operation("DeleteModelPackageGroup")
def delete_model_package_group(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    with _groups.lock:
        group = find(request["ModelPackageGroupName"], caller)
        if any(
            package.get("ModelPackageGroupName") == group["ModelPackageGroupName"]
            for package in store.table("ModelPackage").values()
        ):
            raise invalid(f"Model Package Group {group['ModelPackageGroupArn']} has model packages; delete them first.")
        del _groups[group["ModelPackageGroupName"]]
    tags.forget(group["ModelPackageGroupArn"])
    return {}
