# SPDX-License-Identifier: Apache-2.0
"""Batch transform jobs: what comes out is what the model says of what went in, joined and written as SageMaker does."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest
import xgboost
from botocore.exceptions import ClientError

from tests.support.lab import CSV, CSV_OUT, UNKNOWN_IMAGE, Lab, csv, labels, rows
from tests.support.laptop import Account
from tests.support.scripts import SKLEARN, packed
from tests.support.waiting import wait_for

FEATURES = rows()
UNSEEN = rows(50, seed=8)


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    return Lab(account)


@pytest.fixture(scope="module")
def trained(lab: Lab) -> dict[str, Any]:
    """A model: its name, and the artifact it is from."""
    train = lab.put("train.csv", csv(FEATURES, labels(FEATURES)))
    artifact = lab.train(lab.training_request(train))["ModelArtifacts"]["S3ModelArtifacts"]
    return {"name": lab.model(artifact), "artifact": artifact}


@pytest.fixture(scope="module")
def expected(lab: Lab, trained: dict[str, Any]) -> list[float]:
    """What xgboost itself predicts."""
    scores: list[float] = lab.booster(trained["artifact"]).predict(xgboost.DMatrix(UNSEEN)).tolist()
    return scores


def finished(lab: Lab, name: str) -> dict[str, Any]:
    def job() -> dict[str, Any] | None:
        found: dict[str, Any] = lab.sagemaker.describe_transform_job(TransformJobName=name)
        return found if found["TransformJobStatus"] in ("Completed", "Failed", "Stopped") else None

    answer: dict[str, Any] = wait_for(job)
    return answer


def transformed(lab: Lab, model: str, uri: str, **changes: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The ended job, and its outputs by their names."""
    wanted = lab.transform_request(model, uri, **changes)
    lab.sagemaker.create_transform_job(**wanted)
    job = finished(lab, wanted["TransformJobName"])
    prefix = wanted["TransformOutput"]["S3OutputPath"].removeprefix(f"s3://{lab.bucket}/") + "/"
    found = lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix=prefix).get("Contents", [])
    bodies = {one["Key"]: lab.s3.get_object(Bucket=lab.bucket, Key=one["Key"])["Body"].read() for one in found}
    return job, {key.removeprefix(prefix): body.decode() for key, body in bodies.items()}


def data_log(lab: Lab, job: dict[str, Any]) -> list[str]:
    logs = lab.account.client("logs")
    group = {"logGroupName": "/aws/sagemaker/TransformJobs"}
    streams = logs.describe_log_streams(**group, logStreamNamePrefix=job["TransformJobName"])["logStreams"]
    (stream,) = [one["logStreamName"] for one in streams if one["logStreamName"].endswith("/data-log")]
    return [event["message"] for event in logs.get_log_events(**group, logStreamName=stream)["events"]]


def numbers(text: str) -> list[float]:
    return [float(line) for line in text.splitlines()]


def test_predictions_are_those_of_the_model(lab: Lab, trained: dict[str, Any], expected: list[float]) -> None:
    job, outputs = transformed(lab, trained["name"], lab.put("unseen.csv", csv(UNSEEN)))
    assert job["TransformJobStatus"] == "Completed", job
    assert list(outputs) == ["unseen.csv.out"]
    assert numbers(outputs["unseen.csv.out"]) == pytest.approx(expected, abs=1e-6)
    assert job["CreationTime"] <= job["TransformStartTime"] < job["TransformEndTime"]
    assert job["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    (first,) = data_log(lab, job)
    assert first.endswith("[sagemaker logs]: MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD")
    summaries = lab.sagemaker.list_transform_jobs(NameContains=job["TransformJobName"])["TransformJobSummaries"]
    assert [one["TransformJobStatus"] for one in summaries] == ["Completed"]


def test_rows_and_predictions_are_joined(lab: Lab, trained: dict[str, Any], expected: list[float]) -> None:
    """An ID is not sent to the model, and is written with the prediction."""
    data = "".join(f'"row, {number}",{line}\n' for number, line in enumerate(csv(UNSEEN).splitlines()))
    job, outputs = transformed(
        lab,
        trained["name"],
        lab.put("ids.csv", data),
        BatchStrategy="SingleRecord",
        MaxConcurrentTransforms=4,
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
    )
    assert job["TransformJobStatus"] == "Completed", job
    lines = outputs["ids.csv.out"].splitlines()
    assert [line.rsplit(",", 1)[0] for line in lines] == [f'"row, {number}"' for number in range(50)]
    assert [float(line.rsplit(",", 1)[1]) for line in lines] == pytest.approx(expected, abs=1e-6)


def test_a_prefix_of_many_gzipped_objects(lab: Lab, trained: dict[str, Any], expected: list[float]) -> None:
    for name, some in (("a.csv.gz", UNSEEN[:20]), ("more/b.csv.gz", UNSEEN[20:])):
        lab.put(f"many/{name}", gzip.compress(csv(some).encode()))
    job, outputs = transformed(
        lab, trained["name"], f"s3://{lab.bucket}/many", TransformInput={**CSV, "CompressionType": "Gzip"}
    )
    assert job["TransformJobStatus"] == "Completed", job
    assert list(outputs) == ["a.csv.gz.out", "more/b.csv.gz.out"]
    assert numbers("".join(outputs.values())) == pytest.approx(expected, abs=1e-6)


def test_a_manifest(lab: Lab, trained: dict[str, Any], expected: list[float]) -> None:
    lab.put("listed/x/a.csv", csv(UNSEEN[:20]))
    lab.put("listed/not.csv", csv(UNSEEN))
    listed = lab.put("a.manifest", json.dumps([{"prefix": f"s3://{lab.bucket}/listed/"}, "x/a.csv"]))
    job, outputs = transformed(lab, trained["name"], listed)
    assert job["TransformJobStatus"] == "Completed", job
    assert list(outputs) == ["x/a.csv.out"]
    assert numbers(outputs["x/a.csv.out"]) == pytest.approx(expected[:20], abs=1e-6)


def test_json_with_its_predictions(lab: Lab, trained: dict[str, Any], expected: list[float]) -> None:
    record = {"id": 7, "rows": UNSEEN[:2].tolist()}
    job, outputs = transformed(
        lab,
        trained["name"],
        lab.put("one.json", json.dumps(record)),
        TransformInput={"ContentType": "application/json"},
        TransformOutput={"Accept": "application/json"},
        DataProcessing={"InputFilter": "$.rows", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"},
    )
    assert job["TransformJobStatus"] == "Completed", job
    written = json.loads(outputs["one.json.out"])
    assert list(written) == ["id", "SageMakerOutput"]
    scores = [one["score"] for one in written["SageMakerOutput"]["predictions"]]
    assert scores == pytest.approx(expected[:2], abs=1e-6)


def test_a_bad_object_fails_the_job_and_the_others_are_written(lab: Lab, trained: dict[str, Any]) -> None:
    lab.put("mixed/bad.csv", "1,2,3\n")
    lab.put("mixed/good.csv", csv(UNSEEN[:3]))
    job, outputs = transformed(lab, trained["name"], f"s3://{lab.bucket}/mixed/")
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"] == "ClientError: See job logs for more information"
    assert list(outputs) == ["good.csv.out"]
    log = [line.split("[sagemaker logs]: ")[1] for line in data_log(lab, job)]
    assert log[1:4] == [f"{lab.bucket}/mixed/bad.csv: {words}" for words in ("ClientError: 400", "", "Message:")]
    assert "Feature size of csv inference data 3 is not consistent" in log[4]


def test_a_record_that_is_too_large_is_told(lab: Lab, trained: dict[str, Any]) -> None:
    lines = csv(rows(9000, seed=9)).encode()
    assert len(lines) > 2**20
    job, outputs = transformed(
        lab,
        trained["name"],
        lab.put("large.csv", lines),
        MaxPayloadInMB=1,
        TransformInput={"ContentType": "text/csv"},
        TransformOutput={"Accept": "text/csv"},
    )
    assert (job["TransformJobStatus"], outputs) == ("Failed", {})
    assert f"Too much data for max payload size: {len(lines)} bytes" in data_log(lab, job)[-1]


def test_requests_of_many_records_are_as_large_as_allowed(lab: Lab, trained: dict[str, Any]) -> None:
    """Each request is logged by nothing, so the predictions count: all of them, in order, over several requests."""
    features = rows(9000, seed=9)
    _, outputs = transformed(
        lab, trained["name"], lab.put("large.csv", csv(features)), MaxPayloadInMB=1, MaxConcurrentTransforms=3
    )
    scores = lab.booster(trained["artifact"]).predict(xgboost.DMatrix(features)).tolist()
    assert numbers(outputs["large.csv.out"]) == pytest.approx(scores, abs=1e-6)


def test_a_job_is_stopped(lab: Lab, trained: dict[str, Any]) -> None:
    lines = csv(rows(60_000, seed=10))
    wanted = lab.transform_request(trained["name"], lab.put("many.csv", lines), BatchStrategy="SingleRecord")
    name = wanted["TransformJobName"]
    lab.sagemaker.create_transform_job(**wanted)
    wait_for(lambda: "TransformStartTime" in lab.sagemaker.describe_transform_job(TransformJobName=name))
    lab.sagemaker.stop_transform_job(TransformJobName=name)
    job = finished(lab, name)
    assert job["TransformJobStatus"] == "Stopped"
    assert job["TransformStartTime"] < job["TransformEndTime"]
    assert lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix=f"out/{name}/")["KeyCount"] == 0
    with pytest.raises(ClientError, match="is in status Stopped"):
        lab.sagemaker.stop_transform_job(TransformJobName=name)


def test_what_is_not_there_is_the_reason(lab: Lab, trained: dict[str, Any]) -> None:
    job, _ = transformed(lab, trained["name"], f"s3://{lab.bucket}/nothing/")
    assert job["TransformJobStatus"] == "Failed"
    assert 'No S3 objects found under S3 URL "s3://' in job["FailureReason"]
    job, _ = transformed(lab, trained["name"], lab.put("bad.manifest", "{}"))
    assert "bad.manifest is not a list of" in job["FailureReason"]
    job, _ = transformed(lab, lab.model(trained["artifact"], UNKNOWN_IMAGE), lab.put("a.csv", csv(UNSEEN)))
    assert "The laptop account cannot run the image" in job["FailureReason"]


SCRIPT = """
import json, os, time

def model_fn(model_dir):
    return float(open(os.path.join(model_dir, "factor.txt")).read())

def input_fn(body, content_type):
    return [json.loads(line) for line in body.decode().splitlines()]

def predict_fn(rows, factor):
    if "slow" in rows:
        time.sleep(600)
    if "stop" in rows:
        raise KeyError("no such feature")
    return [sum(row) * factor for row in rows]

def output_fn(prediction, accept):
    mode = [os.environ["SAGEMAKER_BATCH"], os.environ["MINE"]]
    return "\\n".join(json.dumps({"score": one, "mode": mode}) for one in prediction), accept
"""


@pytest.fixture(scope="module")
def scripted(lab: Lab) -> str:
    """A model with a script of its own."""
    artifact = lab.put("script/model.tar.gz", packed(code___inference__py=SCRIPT, factor__txt="2"))
    where = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code", "MINE": "no"}
    return lab.model(artifact, PrimaryContainer={"Image": SKLEARN, "ModelDataUrl": artifact, "Environment": where})


def test_a_script_predicts_and_its_failure_is_the_algorithms(lab: Lab, scripted: str) -> None:
    """The job's environment is added to that of the model's container."""
    lab.put("lines/good.jsonl", "".join(json.dumps({"id": one, "x": [one, 1]}) + "\n" for one in range(20)))
    lab.put("lines/stops.jsonl", json.dumps({"id": 0, "x": "stop"}))
    job, outputs = transformed(
        lab,
        scripted,
        f"s3://{lab.bucket}/lines/",
        Environment={"MINE": "yes"},
        MaxConcurrentTransforms=2,
        TransformInput={"ContentType": "application/jsonlines", "SplitType": "Line"},
        TransformOutput={"Accept": "application/jsonlines", "AssembleWith": "Line"},
        DataProcessing={"InputFilter": "$.x", "JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"},
    )
    assert (job["TransformJobStatus"], list(outputs)) == ("Failed", ["good.jsonl.out"])
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert "no such feature" in data_log(lab, job)[-1]
    written = [json.loads(line) for line in outputs["good.jsonl.out"].splitlines()]
    assert written == [
        {"id": one, "SageMakerOutput": {"score": 2.0 * (one + 1), "mode": ["true", "yes"]}} for one in range(20)
    ]


LINES = {"ContentType": "application/jsonlines", "SplitType": "Line"}


def test_a_script_that_does_not_answer_in_time_is_asked_again_and_fails_the_job(lab: Lab, scripted: str) -> None:
    began = time.monotonic()
    job, _ = transformed(
        lab,
        scripted,
        lab.put("slow.jsonl", '"slow"'),
        Environment={"MINE": "yes"},
        ModelClientConfig={"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 1},
        TransformInput=LINES,
    )
    assert time.monotonic() - began > 2
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert "timed out" in data_log(lab, job)[-1]


def test_a_job_with_a_script_that_does_not_answer_is_stopped(lab: Lab, scripted: str) -> None:
    wanted = lab.transform_request(scripted, lab.put("slow.jsonl", '"slow"'), TransformInput=LINES)
    name = wanted["TransformJobName"]
    lab.sagemaker.create_transform_job(**wanted)
    wait_for(lambda: "TransformStartTime" in lab.sagemaker.describe_transform_job(TransformJobName=name))
    time.sleep(2)
    began = time.monotonic()
    lab.sagemaker.stop_transform_job(TransformJobName=name)
    assert finished(lab, name)["TransformJobStatus"] == "Stopped"
    assert time.monotonic() - began < 60  # the script would sleep for 600 seconds


def test_a_job_works_as_the_role_of_its_model(lab: Lab, trained: dict[str, Any]) -> None:
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    reader = lab.model(trained["artifact"], ExecutionRoleArn=lab.make_role([allowed]))
    job, outputs = transformed(lab, reader, lab.put("role.csv", csv(UNSEEN)))
    assert (job["TransformJobStatus"], outputs) == ("Failed", {})
    assert "Output upload failed: AccessDenied (403)" in job["FailureReason"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"ModelName": "no-such-model"}, "Could not find model"),
        ({"MaxPayloadInMB": 101}, "MaxPayloadInMB must not be greater than 100"),
        ({"MaxPayloadInMB": 51, "MaxConcurrentTransforms": 2}, "product of MaxConcurrentTransforms and MaxPayloadInMB"),
        ({"DataProcessing": {"InputFilter": "$..a"}}, "not supported"),
        ({"DataProcessing": {"InputFilter": "$.a"}}, "cannot be used with CSV"),
        (
            {"DataProcessing": {"JoinSource": "Input"}, "TransformOutput": {**CSV_OUT, "Accept": "application/json"}},
            "Accept",
        ),
        ({"DataProcessing": {"JoinSource": "Input"}, "TransformOutput": {"Accept": "text/csv"}}, "AssembleWith"),
        ({"DataProcessing": {"JoinSource": "Input"}, "TransformInput": {"ContentType": "text/libsvm"}}, "ContentType"),
        ({"BatchStrategy": "MultiRecord", "TransformInput": {"ContentType": "text/csv"}}, "BatchStrategy"),
        ({"TransformResources": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeKmsKeyId": "k"}}, "Volume"),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://bucket/captured"}}, "does not support DataCaptureConfig"),
    ],
)
def test_what_aws_refuses_is_refused(lab: Lab, trained: dict[str, Any], changes: dict[str, Any], problem: str) -> None:
    wanted = lab.transform_request(trained["name"], f"s3://{lab.bucket}/a.csv", **changes)
    with pytest.raises(ClientError, match=problem):
        lab.sagemaker.create_transform_job(**wanted)
    with pytest.raises(ClientError, match="not found"):
        lab.sagemaker.describe_transform_job(TransformJobName=wanted["TransformJobName"])
