# SPDX-License-Identifier: Apache-2.0
"""`mlops models` against the account on the laptop, from another terminal."""

from __future__ import annotations

import json
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.support.commands import Up

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
GROUP = "cli-models"


@pytest.fixture(scope="module")
def arns(up: Up) -> list[str]:
    """Three versions: rejected, pending, pending; and a group without versions."""
    sagemaker = up.client("sagemaker")
    for name in (GROUP, "cli-empty"):
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
    container = {"Image": IMAGE, "ModelDataUrl": "s3://somewhere/model.tar.gz"}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    return [
        sagemaker.create_model_package(
            ModelPackageGroupName=GROUP,
            ModelPackageDescription=f"the model {number}",
            InferenceSpecification=specification,
            ModelApprovalStatus=status,
            CustomerMetadataProperties={"validation:auc": "0.93"},
        )["ModelPackageArn"]
        for number, status in enumerate(("Rejected", "PendingManualApproval", "PendingManualApproval"), 1)
    ]


def listed(up: Up, *arguments: str) -> list[tuple[str, str]]:
    done = up.mlops("models", "list", "--json", "--group", GROUP, *arguments)
    assert done.returncode == 0, done.stderr
    return [(one["version"], one["status"]) for one in json.loads(done.stdout)["models"]]


def document(done: CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_models_are_listed_approved_and_rejected(up: Up, arns: list[str]) -> None:
    pending = "PendingManualApproval"
    assert listed(up) == [(f"{GROUP}/3", pending), (f"{GROUP}/2", pending), (f"{GROUP}/1", "Rejected")]
    lines = up.mlops("models", "list", "--group", GROUP, "--status", "rejected").stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [["✗", f"{GROUP}/1", "rejected"]]
    assert lines[0].endswith("the model 1")

    done = up.mlops("models", "approve", f"{GROUP}/2", "--comment", "AUC is fine")
    assert done.returncode == 0, done.stderr
    assert f"{GROUP}/2 is Approved (was PendingManualApproval)" in done.stdout
    found = up.client("sagemaker").describe_model_package(ModelPackageName=arns[1])
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "AUC is fine")

    again = document(up.mlops("models", "approve", arns[1], "--json"))
    assert (again["changed"], again["comment"]) == (False, "AUC is fine")
    unchanged = up.client("sagemaker").describe_model_package(ModelPackageName=arns[1])
    assert unchanged["LastModifiedTime"] == found["LastModifiedTime"]
    assert document(up.mlops("models", "approve", arns[1], "--json", "--comment", "very fine"))["changed"]

    newest = document(up.mlops("models", "reject", GROUP, "--json", "--comment", "too old"))
    assert (newest["version"], newest["status"]) == (f"{GROUP}/3", "Rejected")
    assert listed(up, "--status", "approved") == [(f"{GROUP}/2", "Approved")]

    shown = document(up.mlops("models", "show", f"{GROUP}/2", "--json"))
    assert (shown["image"], shown["artifact"], shown["comment"]) == (IMAGE, "s3://somewhere/model.tar.gz", "very fine")
    assert shown["metadata"] == {"validation:auc": "0.93"}
    text = up.mlops("models", "show", arns[1].replace(":model-package/", ":model-package-group/").rpartition("/")[0])
    assert f"{GROUP}/3" in text.stdout.splitlines()[0]
    assert "0.93" in text.stdout


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["list", "--group", "cli-none"], "No model package group 'cli-none'", "mlops models list"),
        (["approve", "cli-none"], "No model package group 'cli-none'", "mlops models list"),
        (["approve", f"{GROUP}/9"], f"No version 9 in the group {GROUP}", f"mlops models list --group {GROUP}"),
        (["reject", "cli-empty"], "The group cli-empty has no versions", ""),
        (["show", "a b"], "'a b' is not a model package", "for example churn/3"),
        (
            ["approve", "arn:aws:sagemaker:us-east-1:123456789012:model-package/cli-models/77"],
            "No model package cli-models/77",
            "mlops models list",
        ),
    ],
)
def test_what_is_not_there_is_told(up: Up, arns: list[str], arguments: list[str], message: str, hint: str) -> None:
    done = up.mlops("models", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_list_says_so(up: Up, arns: list[str]) -> None:
    done = up.mlops("models", "list", "--group", "cli-empty", "--status", "approved")
    assert (done.returncode, done.stdout) == (0, "")
    assert "No approved version in the group cli-empty." in done.stderr
