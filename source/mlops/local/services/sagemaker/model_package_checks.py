# SPDX-License-Identifier: Apache-2.0
"""What SageMaker refuses of a CreateModelPackage request beyond its shapes, and what the laptop account cannot do."""

from __future__ import annotations

from typing import Any

from mlops.local.services.sagemaker.service import invalid

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html, API_InferenceSpecification.html
_OF_UNVERSIONED = ("CertifyForMarketplace", "Tags")
_OF_VERSIONS = ("ModelApprovalStatus", "ModelLifeCycle")
_REQUIRED_OF_UNVERSIONED = (
    "SupportedContentTypes",
    "SupportedRealtimeInferenceInstanceTypes",
    "SupportedResponseMIMETypes",
    "SupportedTransformInstanceTypes",
)
_UNSUPPORTED = {
    "ValidationSpecification": "validate model packages with transform jobs",
    "SourceAlgorithmSpecification": "have algorithms from AWS Marketplace",
    "ManagedStorageType": "store models in storage of SageMaker's own",
}


def check(request: dict[str, Any]) -> None:
    """Refuse a request that SageMaker would refuse, or that the laptop account cannot fulfil."""
    if bool(request.get("ModelPackageGroupName")) == bool(request.get("ModelPackageName")):
        raise invalid("Specify either ModelPackageGroupName, for a versioned package, or ModelPackageName.")
    for member, what in _UNSUPPORTED.items():
        if member in request:
            raise invalid(f"The laptop account does not {what}: remove {member}.")
    versioned = "ModelPackageGroupName" in request
    for member in _OF_UNVERSIONED if versioned else _OF_VERSIONS:
        if request.get(member):
            kind = "a version in a group, which has the tags of the group" if versioned else "a package without a group"
            raise invalid(f"{member} does not apply to a model package that is {kind}.")
    _check_specification(request, versioned)


def _check_specification(request: dict[str, Any], versioned: bool) -> None:
    specification = request.get("InferenceSpecification")
    if specification is None:
        source = request.get("SourceUri", "")
        if source.startswith("arn:"):
            raise invalid(f"The laptop account does not copy models from {source}: specify an InferenceSpecification.")
        if not source:
            raise invalid("Either InferenceSpecification or SourceAlgorithmSpecification is required.")
        return
    missing = [member for member in _REQUIRED_OF_UNVERSIONED if not versioned and not specification.get(member)]
    if missing:
        raise invalid(f"A model package without a group requires {missing[0]} in its InferenceSpecification.")
    for container in specification["Containers"]:
        if not container.get("Image"):
            raise invalid("Each container of an InferenceSpecification needs an Image.")
