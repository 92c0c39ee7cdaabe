# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's calls to the model registry, against the account on the laptop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest
from chalicelib.aws.client import Aws
from chalicelib.aws.observed import ModelPackage
from chalicelib.aws.port import NotShared
from chalicelib.errors import Unavailable
from chalicelib.settings import Settings

from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.roles import trusted_role

HERE, ELSEWHERE = "arn:aws:sagemaker:us-east-1:123456789012", "arn:aws:sagemaker:us-east-1:999999999999"
SPECIFICATION: Any = {"Containers": [{"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}]}


def connected(session: boto3.Session, account: Account, settings: Settings, patch: pytest.MonkeyPatch) -> Aws:
    """The calls with the credentials of a session."""
    keys = session.get_credentials()
    assert keys is not None
    found = {"ACCESS_KEY_ID": keys.access_key, "SECRET_ACCESS_KEY": keys.secret_key, "SESSION_TOKEN": keys.token}
    for name, value in {**found, "ENDPOINT_URL": account.endpoint, "DEFAULT_REGION": "us-east-1"}.items():
        patch.setenv(f"AWS_{name}", value) if value else patch.delenv(f"AWS_{name}", raising=False)
    patch.setattr(boto3, "DEFAULT_SESSION", None)  # an earlier test's, with its credentials
    return Aws(replace(settings, aws_region="us-east-1"))


@pytest.fixture
def cloud(account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Aws:
    return connected(account.session, account, settings, monkeypatch)


@pytest.fixture
def group(account: Account) -> str:
    """A group with an approved, a rejected and a pending version."""
    sagemaker, name = account.client("sagemaker"), unique("port")
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    for status in ("Approved", "Rejected", "PendingManualApproval"):
        sagemaker.create_model_package(
            ModelPackageGroupName=name, InferenceSpecification=SPECIFICATION, ModelApprovalStatus=status
        )
    return name


def test_a_model_package(cloud: Aws, group: str) -> None:
    arn = f"{HERE}:model-package/{group}/2"
    assert cloud.model_package(arn) == ModelPackage(arn, "Completed", "Rejected", 2)
    assert cloud.model_package(f"{HERE}:model-package/{group}/9") is None


def test_the_versions_of_a_group(cloud: Aws, group: str) -> None:
    for name in (group, f"{HERE}:model-package-group/{group}"):
        found = cloud.model_packages(name)
        assert found is not None
        assert [(one.version, one.approval) for one in found] == [
            (3, "PendingManualApproval"),
            (2, "Rejected"),
            (1, "Approved"),
        ]
        assert [one.version for one in cloud.model_packages(name, "Approved") or ()] == [1]
    assert cloud.model_packages("no-such-group") is None


def test_what_another_account_has_not_shared(cloud: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud, "_new_until", 0.0)  # denied calls are not made again
    with pytest.raises(NotShared):
        cloud.model_package(f"{ELSEWHERE}:model-package/churn/1")
    with pytest.raises(NotShared):
        cloud.model_packages(f"{ELSEWHERE}:model-package-group/churn")


def test_a_missing_permission_of_our_own_is_no_missing_package(
    account: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch, group: str
) -> None:
    role = trusted_role(account, "lambda.amazonaws.com", {"Action": "s3:GetObject", "Resource": "*"})
    denied = connected(account.assume(role), account, settings, monkeypatch)
    monkeypatch.setattr(denied, "_new_until", 0.0)
    with pytest.raises(Unavailable, match="AWS denied access"):
        denied.model_package(f"{HERE}:model-package/{group}/1")
    with pytest.raises(Unavailable, match="AWS denied access"):
        denied.model_packages(group)
