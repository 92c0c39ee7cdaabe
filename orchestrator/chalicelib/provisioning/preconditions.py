# SPDX-License-Identifier: Apache-2.0
"""Checks a plan's preconditions in AWS, right before the first write. Nothing is written if one does not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chalicelib.aws.observed import APPROVED, ModelPackage
from chalicelib.aws.port import Cloud, NotShared
from chalicelib.errors import BadRequest, Code, Conflict, Problem
from chalicelib.intake.preconditions import APPROVED_MODEL_PACKAGE, Precondition
from chalicelib.intake.references import short

_COMPLETED = "Completed"


def check(preconditions: Sequence[Precondition], cloud: Cloud) -> None:
    """Raises Conflict for one that does not hold, BadRequest if what it is about does not exist or cannot be read."""
    for one in preconditions:
        _CHECKS[one.requires](one, cloud)


def _approved(one: Precondition, cloud: Cloud) -> None:
    """A version in a group must be approved; a package that is in no group has no approval status."""
    try:
        package = cloud.model_package(one.resource)
    except NotShared as error:
        raise not_shared(one.path, one.resource) from error
    if package is None:
        raise no_such_package(one.path, f"there is no model package {short(one.resource)}")
    problem, hint = _obstacle(package)
    if problem:
        raise not_approved(one.path, problem, hint)


def _obstacle(package: ModelPackage) -> tuple[str, str]:
    """Why a package is not deployed, and what to do about it; empty where it is."""
    name = short(package.arn)
    if package.approval not in ("", APPROVED):
        return f"the model package {name} is {package.approval}", f"to approve it: mlops models approve {package.arn}"
    if package.status != _COMPLETED:
        return f"the status of the model package {name} is {package.status}, not {_COMPLETED}", ""
    return "", ""


def not_approved(path: str, problem: str, hint: str) -> Conflict:
    """The 409 for a model that nobody approved."""
    conflict = Conflict("The model package is not approved for deployment.")
    conflict.problems = [Problem(path, Code.NOT_APPROVED, problem, hint)]
    return conflict


def no_such_package(path: str, problem: str) -> BadRequest:
    """The 400 for a model package or a group that does not exist."""
    hint = "to list the model registry of this account: mlops models list"
    return _bad_request(path, Code.UNKNOWN_MODEL_PACKAGE, problem, hint)


def not_shared(path: str, arn: str) -> BadRequest:
    """The 400 for another account's model package or group that the orchestrator may not read."""
    account = arn.split(":")[4]
    problem = f"the account {account} has not shared {short(arn)} with this account, or it does not exist"
    hint = (
        "its owner shares it with a resource policy of the group (PutModelPackageGroupPolicy) that allows this account "
        "sagemaker:DescribeModelPackage, sagemaker:ListModelPackages and sagemaker:CreateModel"
    )
    return _bad_request(path, Code.NOT_REACHABLE, problem, hint)


def _bad_request(path: str, code: Code, problem: str, hint: str) -> BadRequest:
    return BadRequest("The model package cannot be used", [Problem(path, code, problem, hint)])


_CHECKS: Mapping[str, Callable[[Precondition, Cloud], None]] = {APPROVED_MODEL_PACKAGE: _approved}
