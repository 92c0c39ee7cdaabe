# SPDX-License-Identifier: Apache-2.0
"""SageMaker's model registry: model packages, and the groups that hold their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.aws.calls import Calls, code, translate_errors
from chalicelib.aws.observed import ModelPackage
from chalicelib.aws.port import Document, NotShared

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_PAGE = 100  # SageMaker's maximum


class Registry(Calls):
    """Calls to SageMaker."""

    @translate_errors
    def model_package(self, arn: str) -> ModelPackage | None:
        from botocore.exceptions import ClientError

        try:
            return _package(self.sagemaker.describe_model_package(ModelPackageName=arn))
        except ClientError as error:
            self._check_absent(arn, error)
            return None

    @translate_errors
    def model_packages(self, group: str, approval: str = "") -> list[ModelPackage] | None:
        from botocore.exceptions import ClientError

        wanted: Any = {"ModelApprovalStatus": approval} if approval else {}
        try:
            found = self.sagemaker.list_model_packages(
                ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", MaxResults=_PAGE, **wanted
            )
        except ClientError as error:
            self._check_absent(group, error)
            return None
        return [_package(one) for one in found["ModelPackageSummaryList"]]

    def _check_absent(self, name_or_arn: str, error: ClientError) -> None:
        """Raise NotShared for what another account keeps to itself, and an error that says anything but `not there`."""
        foreign = name_or_arn.startswith("arn:") and name_or_arn.split(":")[4] != self.settings.account
        if foreign and "AccessDenied" in code(error):
            raise NotShared from error
        if code(error) not in ("ValidationException", "ResourceNotFound"):
            raise error


def _package(found: Document) -> ModelPackage:
    return ModelPackage(
        found["ModelPackageArn"],
        found["ModelPackageStatus"],
        found.get("ModelApprovalStatus", ""),
        found.get("ModelPackageVersion", 0),
    )
