# SPDX-License-Identifier: Apache-2.0
"""The model registry's versions: what to serve, and whether somebody approved it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import listing, model_package_checks, model_package_groups, tags
from mlops.local.services.sagemaker.service import (
    arn,
    invalid,
    now,
    put_event,
    refuse_other_account,
    sagemaker,
    store,
)
from mlops.local.state.store import Record

_packages = store.table("ModelPackage")  # by ARN
_PROPERTIES = 50  # CustomerMetadataProperties of a package
_versions = store.table("ModelPackageVersion")  # the last version given in a group; numbers are never used again
_tokens = store.table("ModelPackageToken")  # by ClientToken: what was asked for with it, and what was made


def find(name_or_arn: str, caller: Caller | None = None) -> Record:
    package_arn = name_or_arn
    if caller and not name_or_arn.startswith("arn:"):
        package_arn = arn(caller, "model-package", name_or_arn)
    record = _packages.get(package_arn)
    if record is None:
        raise invalid(f"ModelPackage {package_arn} does not exist.")
    return record


def inference_containers(name_or_arn: str) -> list[dict[str, Any]]:
    """What serves a package."""
    containers: list[dict[str, Any]] = find(name_or_arn)["InferenceSpecification"]["Containers"]
    return containers


def check_deployable(name_or_arn: str, caller: Caller) -> None:
    """A version must be approved to be deployed; an unversioned package knows no approval."""
    package = find(name_or_arn, caller)
    package_arn = package["ModelPackageArn"]
    if not package.get("InferenceSpecification"):
        raise invalid(
            f"Model package {package_arn} has no InferenceSpecification, which is required to create a model."
        )
    approval = package.get("ModelApprovalStatus")
    if approval and approval != "Approved":
        raise invalid(
            f"Model package {package_arn} cannot be deployed: its ModelApprovalStatus is {approval}, and "
            "must be Approved."
        )


@sagemaker.operation("CreateModelPackage")
def create_model_package(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """A new version of a group, or a package by a name of its own. A repeated ClientToken makes no second one."""
    model_package_checks.check(request)
    group, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
    kept = {member: value for member, value in request.items() if member not in ("Tags", "ClientToken")}
    moment = now()
    with _packages.lock:
        if made := _made_with(request):
            return {"ModelPackageArn": made}
        if group:
            group_name = model_package_groups.find(group, caller)["ModelPackageGroupName"]
            version = _versions.get(group_name, {"Last": 0})["Last"] + 1
            package_arn = f"{arn(caller, 'model-package', group_name)}/{version}"
            kept |= {
                "ModelPackageGroupName": group_name,
                "ModelPackageVersion": version,
                "ModelPackageName": group_name,
                "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
            }
        else:
            package_arn = arn(caller, "model-package", str(name))
            if package_arn in _packages:
                raise invalid(f"Cannot create already existing model package {package_arn}.")
        tags.attach(package_arn, request, caller)
        if group:
            _versions[group_name] = {"Last": version}
        _packages[package_arn] = {
            **kept,
            "ModelPackageArn": package_arn,
            "CreationTime": moment,
            "LastModifiedTime": moment,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CertifyForMarketplace": request.get("CertifyForMarketplace", False),
            "CreatedBy": {},
        }
        if token := request.get("ClientToken"):
            _tokens[token] = {"Request": _digest(request), "ModelPackageArn": package_arn}
    _tell(caller, _packages[package_arn])
    return {"ModelPackageArn": package_arn}


def _made_with(request: dict[str, Any]) -> str:
    """The package that an earlier request with the same token made; empty if there was none."""
    earlier = _tokens.get(request.get("ClientToken", ""))
    if earlier is None:
        return ""
    if earlier["Request"] != _digest(request):
        raise invalid("The ClientToken was used before with other parameters.")
    return str(earlier["ModelPackageArn"])


def _digest(request: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()


def _tell(caller: Caller, package: Record) -> None:
    put_event(
        caller, "Model Package", {**package, "Tags": tags.of(package["ModelPackageArn"])}, package["ModelPackageArn"]
    )


@sagemaker.operation("DescribeModelPackage")
def describe_model_package(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    refuse_other_account("DescribeModelPackage", request["ModelPackageName"], caller)
    return find(request["ModelPackageName"], caller)


@sagemaker.operation("UpdateModelPackage")
def update_model_package(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    refuse_other_account("UpdateModelPackage", request["ModelPackageArn"], caller)
    with _packages.lock:
        package = find(request["ModelPackageArn"])
        if "ModelApprovalStatus" in request and "ModelPackageVersion" not in package:
            raise invalid("ModelApprovalStatus does not apply to a model package without a group.")
        changed: dict[str, Any] = {
            member: request[member]
            for member in (
                "ModelApprovalStatus",
                "ApprovalDescription",
                "InferenceSpecification",
                "SourceUri",
                "ModelCard",
                "ModelLifeCycle",
                "ModelPackageRegistrationType",
            )
            if member in request
        }
        properties = {**package.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
        for key in request.get("CustomerMetadataPropertiesToRemove", []):
            properties.pop(key, None)
        if properties or "CustomerMetadataProperties" in package:
            if len(properties) > _PROPERTIES:
                raise invalid(f"A model package has at most {_PROPERTIES} CustomerMetadataProperties.")
            changed["CustomerMetadataProperties"] = properties
        more = request.get("AdditionalInferenceSpecificationsToAdd")
        if more:
            changed["AdditionalInferenceSpecifications"] = [
                *package.get("AdditionalInferenceSpecifications", []),
                *more,
            ]
        package.update(changed, LastModifiedTime=now(), LastModifiedBy={})
    _tell(caller, package)
    return {"ModelPackageArn": package["ModelPackageArn"]}


@sagemaker.operation("ListModelPackages")
def list_model_packages(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    group = request.get("ModelPackageGroupName")
    refuse_other_account("ListModelPackages", group or "", caller)
    if group:
        group = model_package_groups.find(group, caller)["ModelPackageGroupName"]
    kind = request.get("ModelPackageType", "Versioned" if group else "Unversioned")
    approval = request.get("ModelApprovalStatus")
    found = [
        package
        for package in _packages.values()
        if (not group or package.get("ModelPackageGroupName") == group)
        and (kind == "Both" or (kind == "Versioned") == ("ModelPackageVersion" in package))
        and (not approval or package.get("ModelApprovalStatus") == approval)
    ]
    return listing.page("ModelPackage", found, request, default_order="Ascending")


@sagemaker.operation("BatchDescribeModelPackage")
def batch_describe_model_package(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """The packages that are there, by ARN; the others with the error that DescribeModelPackage gives."""
    wanted = request["ModelPackageArnList"]
    found = {package_arn: record for package_arn in wanted if (record := _packages.get(package_arn))}
    return {
        "ModelPackageSummaries": {
            package_arn: {member: record[member] for member in _BATCH_SUMMARY if member in record}
            for package_arn, record in found.items()
        },
        "BatchDescribeModelPackageErrorMap": {
            package_arn: {
                "ErrorCode": "ValidationException",
                "ErrorResponse": f"ModelPackage {package_arn} does not exist.",
            }
            for package_arn in wanted
            if package_arn not in found
        },
    }


_BATCH_SUMMARY = (
    "ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn", "ModelPackageDescription", "CreationTime",
    "InferenceSpecification", "ModelPackageStatus", "ModelApprovalStatus", "ModelPackageRegistrationType",
)  # fmt: skip


@sagemaker.operation("DeleteModelPackage")
def delete_model_package(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    with _packages.lock:
        package = find(request["ModelPackageName"], caller)
        del _packages[package["ModelPackageArn"]]
    tags.forget(package["ModelPackageArn"])
    return {}
