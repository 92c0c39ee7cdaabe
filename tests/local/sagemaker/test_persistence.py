# SPDX-License-Identifier: Apache-2.0
"""SageMaker's state across a kill of the account: what ran has failed and says so, what served serves."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import LONG, Lab, csv, labels, rows
from tests.support.laptop import Account

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
    long["HyperParameters"] |= LONG
    lab.sagemaker.create_training_job(**long)
    transforming = lab.transform_request(model, lab.put("many.csv", csv(rows(100_000))), BatchStrategy="SingleRecord")
    lab.sagemaker.create_transform_job(**transforming)
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
    cut_off = sagemaker.describe_transform_job(TransformJobName=transforming["TransformJobName"])
    assert cut_off["TransformJobStatus"] == "Failed"
    assert "was stopped while this was running" in cut_off["FailureReason"]
    runtime = again.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=csv(FEATURES[:3]), ContentType="text/csv")
    assert answer["Body"].read().decode() == expected


@pytest.mark.parametrize("end", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_captured_data_is_written_before_the_account_ends(
    start: Callable[..., Account], tmp_path: Path, end: signal.Signals
) -> None:
    lab = Lab(start("--data", str(tmp_path)))
    train = lab.put("train.csv", csv(FEATURES, labels(FEATURES)))
    model = lab.model(lab.train(lab.training_request(train))["ModelArtifacts"]["S3ModelArtifacts"])
    endpoint = lab.endpoint(
        lab.config(
            model,
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{lab.bucket}/captured",
                "CaptureOptions": [{"CaptureMode": "Input"}],
            },
        )
    )
    lab.settled(endpoint)
    for _ in range(5):
        lab.invoke(endpoint, csv(FEATURES[:1]))
    lab.account.process.send_signal(end)
    assert lab.account.process.wait(20) == 0

    again = start("--data", str(tmp_path))
    s3 = again.client("s3")
    found = s3.list_objects_v2(Bucket=lab.bucket, Prefix="captured/")["Contents"]
    text = b"".join(s3.get_object(Bucket=lab.bucket, Key=one["Key"])["Body"].read() for one in found)
    assert len(text.splitlines()) == 5
    events = again.client("logs").filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{endpoint}")["events"]
    assert [event["message"] for event in events if '"POST /invocations HTTP/1.1" 200 ' in event["message"]][4:]
