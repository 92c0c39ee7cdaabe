# SPDX-License-Identifier: Apache-2.0
"""SageMaker's state across a kill of the account: what ran has failed and says so, what served serves."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.local.laptop import Account
from tests.local.machine_learning import Lab, csv, labels, rows

FEATURES = rows()


def test_after_a_kill(start: Callable[..., Account], tmp_path: Path) -> None:
    lab = Lab(start("--data", str(tmp_path)))
    train = lab.put("train.csv", csv(FEATURES, labels(FEATURES)))
    job = lab.train(lab.training_request(train))
    model = lab.model(job["ModelArtifacts"]["S3ModelArtifacts"])
    endpoint = lab.endpoint(lab.config(model))
    lab.settled(endpoint)
    expected = lab.invoke(endpoint, csv(FEATURES[:3]))
    long = lab.training_request(train)
    long["HyperParameters"] |= {"num_round": "1000000"}
    lab.sagemaker.create_training_job(**long)
    time.sleep(1.5)
    lab.account.process.kill()
    lab.account.process.wait()

    again = start("--data", str(tmp_path))
    sagemaker = again.client("sagemaker")
    kept = sagemaker.describe_training_job(TrainingJobName=job["TrainingJobName"])
    assert kept["TrainingJobStatus"] == "Completed"
    assert kept["CreationTime"] == job["CreationTime"]
    failed: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=long["TrainingJobName"])
    assert failed["TrainingJobStatus"] == failed["SecondaryStatus"] == "Failed"
    assert "was stopped while this was running" in failed["FailureReason"]
    runtime = again.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=csv(FEATURES[:3]), ContentType="text/csv")
    assert answer["Body"].read().decode() == expected
