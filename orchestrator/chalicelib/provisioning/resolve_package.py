# SPDX-License-Identifier: Apache-2.0
"""A model package group -> its latest approved version. A newer approval makes the same request a changed one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.aws.observed import APPROVED, ModelPackage
from chalicelib.aws.port import Cloud, NotShared
from chalicelib.intake.references import is_version, short
from chalicelib.provisioning.preconditions import no_such_package, not_approved, not_shared
from chalicelib.quoting import shown
from chalicelib.settings import Settings


@dataclass(frozen=True)
class ResolvedPackage:
    """A version in a group of model packages."""

    value: str  # its ARN

    def document(self) -> dict[str, Any]:
        """For the API's response."""
        group, _, version = short(self.value).partition("/")
        return {"group": group, "version": int(version), "model_package": self.value}


def resolve_package(path: str, group: str, settings: Settings, cloud: Cloud) -> ResolvedPackage:
    """The latest approved version of a group, by name or ARN; of `group/3`, that version.

    Raises BadRequest if there is no such group, Conflict if it has no approved version.
    """
    if is_version(group):
        here = f"arn:{settings.partition}:sagemaker:{settings.aws_region}:{settings.account}"
        return ResolvedPackage(f"{here}:model-package/{group}")
    try:
        found = cloud.model_packages(group, APPROVED)
        if not found:
            _refuse(path, group, cloud.model_packages(group))
    except NotShared as error:
        raise not_shared(path, group) from error
    assert found
    return ResolvedPackage(max(found, key=lambda package: package.version).arn)


def _refuse(path: str, group: str, versions: Sequence[ModelPackage] | None) -> None:
    """Raise what is wrong with a group without an approved version."""
    name = short(group)
    if versions is None:
        raise no_such_package(path, f"there is no model package group {shown(name)}")
    if not versions:
        hint = f'train a model with "model_package_group_name": "{name}", or register one'
        raise not_approved(path, f"the group {name} has no versions", hint)
    counted = Counter(package.approval or "without a status" for package in versions)
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(counted.items()))
    newest = max(package.version for package in versions)
    hint = f"to approve one: mlops models approve {name}/{newest}"
    raise not_approved(path, f"the group {name} has no approved version: {statuses}", hint)
