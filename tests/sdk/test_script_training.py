# SPDX-License-Identifier: Apache-2.0
"""A script trains on the laptop account as the SDK's ModelTrainer starts it: with shell scripts that name /opt/ml."""

from __future__ import annotations

from pathlib import Path

import joblib
import pytest

from tests.support import sdk
from tests.support.lab import Lab, csv, labels, rows
from tests.support.laptop import Account
from tests.support.scripts import SKLEARN, TRAIN, unpacked_file

# The SDK checks that the role may do what a training job may need, before it starts one.
ACTIONS = ["s3:*", "logs:*", "iam:*", "ec2:*", "ecr:*", "cloudwatch:*", "kms:*", "sagemaker:*"]


def test_the_sdk_trains_with_a_script(account: Account, sdk_python: Path, tmp_path: Path) -> None:
    lab, features = Lab(account), rows()
    lab.put("data/data.csv", csv(features, labels(features)))
    (tmp_path / "train.py").write_text(TRAIN)
    given = {
        "image": SKLEARN,
        "role": lab.make_role([{"Effect": "Allow", "Action": ACTIONS, "Resource": "*"}]),
        "bucket": lab.bucket,
        "data": f"s3://{lab.bucket}/data/",
        "source": str(tmp_path),
        "hyperparameters": {"strength": 0.5},
    }
    job = lab.finished(sdk.ask(sdk_python, "script_training", given, **sdk.account(account)))
    if "/opt/ml is not available on this machine" in job.get("FailureReason", ""):
        pytest.skip(job["FailureReason"])
    assert job["TrainingJobStatus"] == "Completed", job
    model = joblib.load(unpacked_file(lab, job["ModelArtifacts"]["S3ModelArtifacts"], "model.joblib"))
    assert model.get_params()["C"] == 0.5
    assert model.score(features, labels(features)) > 0.9
