# SPDX-License-Identifier: Apache-2.0
"""Processing jobs: a command in the scikit-learn image, with inputs from S3 and outputs to S3."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.lab import Lab
from tests.support.laptop import Account, Start
from tests.support.naming import unique
from tests.support.scripts import SKLEARN, XGBOOST, lives, logged, running_script
from tests.support.waiting import wait_for

CODE, IN, OUT = (f"/opt/ml/processing/{part}" for part in ("input/code", "input/data", "output"))
SCALE = """
import argparse, json, os, pandas
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("--input", required=True)
parser.add_argument("--output", required=True)
arguments = parser.parse_args()
names = sorted(os.listdir(arguments.input))
tables = [pandas.read_csv(os.path.join(arguments.input, name), header=None) for name in names]
os.makedirs(os.path.join(arguments.output, "deep"))
scaled = StandardScaler().fit_transform(pandas.concat(tables))
pandas.DataFrame(scaled).to_csv(os.path.join(arguments.output, "deep", "scaled.csv"), header=False, index=False)
print("scaled", scaled.shape, os.environ["MINE"])
"""


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    return Lab(account)


def source(name: str, uri: str, path: str, **more: Any) -> dict[str, Any]:
    described = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File", **more}
    return {"InputName": name, "S3Input": described}


def request(lab: Lab, script: str, *arguments: str, **changes: Any) -> dict[str, Any]:
    """A job that runs a script, with data of two files and one output."""
    prefix = unique("processing")
    lab.put(f"{prefix}/data/a.csv", "1,2\n3,4\n")
    lab.put(f"{prefix}/data/b.csv", "5,6\n")
    code = lab.put(f"{prefix}/code/run.py", script)
    output = {"S3Uri": f"s3://{lab.bucket}/{prefix}/out", "LocalPath": OUT, "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingJobName": prefix,
        "RoleArn": lab.role,
        "AppSpecification": {
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["python3", f"{CODE}/run.py"],
            **({"ContainerArguments": list(arguments)} if arguments else {}),
        },
        "Environment": {"MINE": "yes"},
        "ProcessingInputs": [
            source("code", code, CODE),
            source("data", f"s3://{lab.bucket}/{prefix}/data", IN),
        ],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": output}]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        **changes,
    }


def ended(lab: Lab, wanted: dict[str, Any]) -> dict[str, Any]:
    """The job, when it has ended."""
    lab.sagemaker.create_processing_job(**wanted)
    return finished(lab, wanted["ProcessingJobName"])


def finished(lab: Lab, name: str) -> dict[str, Any]:
    def job() -> dict[str, Any] | None:
        found: dict[str, Any] = lab.sagemaker.describe_processing_job(ProcessingJobName=name)
        return None if found["ProcessingJobStatus"] in ("InProgress", "Stopping") else found

    answer: dict[str, Any] = wait_for(job)
    return answer


def written(lab: Lab, job: dict[str, Any]) -> dict[str, str]:
    """What a job's output holds in S3."""
    prefix = f"{job['ProcessingJobName']}/out/"
    keys = [one["Key"] for one in lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix=prefix).get("Contents", [])]
    bodies = {key: lab.s3.get_object(Bucket=lab.bucket, Key=key)["Body"].read().decode() for key in keys}
    return {key.removeprefix(prefix): body for key, body in bodies.items()}


@pytest.mark.parametrize("without", [{}, {"MLOPS_SCRIPTS_WITHOUT_OPT_ML": "1"}])
def test_inputs_become_outputs_with_and_without_opt_ml(lab: Lab, without: dict[str, str]) -> None:
    wanted = request(lab, SCALE, "--input", IN, "--output", OUT)
    job = ended(lab, {**wanted, "Environment": {"MINE": "yes", **without}})
    assert job["ProcessingJobStatus"] == "Completed", job
    rows = [[float(cell) for cell in line.split(",")] for line in written(lab, job)["deep/scaled.csv"].split()]
    assert rows == [pytest.approx([one, one]) for one in (-1.224745, 0, 1.224745)]
    text = logged(lab, job["ProcessingJobName"], "/aws/sagemaker/ProcessingJobs")
    assert "scaled (3, 2) yes" in text
    assert ("because it was switched off" in text) is bool(without)


DESCRIBE = """
import json, os, shutil
config = json.load(open("/opt/ml/config/processingjobconfig.json"))
resources = json.load(open("/opt/ml/config/resourceconfig.json"))
assert os.path.isdir("/opt/ml/processing/output")
open("/opt/ml/output/message", "w").write(json.dumps([config["ProcessingJobName"], config["Environment"], resources]))
open("/opt/ml/processing/output/part.txt", "w").write("so far")
if "FAIL" in os.environ:
    raise RuntimeError("no luck")
"""


def skip_without_opt_ml(job: dict[str, Any]) -> None:
    if "/opt/ml is not available on this machine" in job.get("FailureReason", ""):
        pytest.skip(job["FailureReason"])


def test_a_script_finds_its_job_described_and_leaves_a_message(lab: Lab) -> None:
    wanted = request(lab, DESCRIBE)
    job = ended(lab, wanted)
    skip_without_opt_ml(job)
    assert job["ProcessingJobStatus"] == "Completed", job
    name, environment, resources = json.loads(job["ExitMessage"])
    assert (name, environment) == (wanted["ProcessingJobName"], {"MINE": "yes"})
    assert resources == {"current_host": "algo-1", "hosts": ["algo-1"]}


@pytest.mark.parametrize(("mode", "kept"), [("Continuous", {"part.txt": "so far"}), ("EndOfJob", {})])
def test_a_failed_job_leaves_what_is_uploaded_continuously(lab: Lab, mode: str, kept: dict[str, str]) -> None:
    wanted = request(lab, DESCRIBE, Environment={"FAIL": "1"})
    wanted["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = mode
    job = ended(lab, wanted)
    skip_without_opt_ml(job)
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: RuntimeError: no luck, exit code: 1"
    assert written(lab, job) == kept


def test_outputs_are_encrypted_with_the_key(lab: Lab) -> None:
    arn = lab.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    allowed = [
        {"Effect": "Allow", "Action": ["s3:*", "logs:*"], "Resource": "*"},
        {"Effect": "Allow", "Action": ["kms:GenerateDataKey"], "Resource": arn},
    ]
    wanted = request(lab, f"open('{OUT}/x', 'w').write('1')", RoleArn=lab.make_role(allowed))
    wanted["AppSpecification"]["ContainerEntrypoint"] = ["/bin/sh", "-c", f"echo 1 > {OUT}/x"]
    wanted["ProcessingOutputConfig"]["KmsKeyId"] = arn
    job = ended(lab, wanted)
    assert job["ProcessingJobStatus"] == "Completed", job
    head = lab.s3.head_object(Bucket=lab.bucket, Key=f"{job['ProcessingJobName']}/out/x")
    assert head["SSEKMSKeyId"] == arn


WAIT = """
import os, time
print("waiting as", os.getpid(), flush=True)
time.sleep(600)
"""
GROUP = "/aws/sagemaker/ProcessingJobs"


def test_a_stopped_job_ends_its_script(lab: Lab) -> None:
    wanted = request(lab, WAIT)
    name = {"ProcessingJobName": wanted["ProcessingJobName"]}
    lab.sagemaker.create_processing_job(**wanted)
    script = running_script(lab, wanted["ProcessingJobName"], GROUP)
    lab.sagemaker.stop_processing_job(**name)
    assert finished(lab, wanted["ProcessingJobName"])["ProcessingJobStatus"] == "Stopped"
    assert not lives(script)


def test_a_job_ends_with_a_killed_account(start: Start) -> None:
    lab = Lab(start())
    wanted = request(lab, WAIT)
    lab.sagemaker.create_processing_job(**wanted)
    script = running_script(lab, wanted["ProcessingJobName"], GROUP)
    lab.account.kill()
    wait_for(lambda: not lives(script))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"AppSpecification": {"ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/mine:1"}}, "cannot run the image"),
        ({"AppSpecification": {"ImageUri": XGBOOST}}, "The image has no entrypoint of its own"),
        ({"ProcessingInputs": [source("data", "s3://no-such-bucket-here/data", IN)]}, "No S3 objects found"),
        ({"ProcessingInputs": [source("data", "s3://b/x", f"{IN}/../../../x")]}, "has a part '..'"),
        (
            {"ProcessingInputs": [source("data", "s3://b/x", IN, S3InputMode="Pipe")]},
            "does not support S3InputMode Pipe",
        ),
    ],
)
def test_what_fails_says_why(lab: Lab, changes: dict[str, Any], reason: str) -> None:
    job = ended(lab, request(lab, "", **changes))
    assert job["ProcessingJobStatus"] == "Failed"
    assert reason in job["FailureReason"]


def test_what_is_refused(lab: Lab) -> None:
    data = source("data", "s3://b/k", IN)
    output = {"S3Uri": "s3://b/out", "LocalPath": "/tmp/out", "S3UploadMode": "EndOfJob"}
    changes: list[tuple[dict[str, Any], str]] = [
        ({"ProcessingInputs": [data, data]}, "input names must be unique"),
        ({"ProcessingInputs": [{"InputName": "data"}]}, "needs either an S3Input or a DatasetDefinition"),
        ({"ProcessingInputs": [source("data", "s3://b/k", "/tmp/data")]}, "must begin with /opt/ml/processing/"),
        ({"ProcessingInputs": [source("data", "s3://b/k", IN, S3CompressionType="Gzip")]}, "S3InputMode Pipe only"),
        (
            {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": output}]}},
            "must begin with /opt/ml/processing/",
        ),
        ({"NetworkConfig": {"VpcConfig": {"Subnets": ["subnet-0"], "SecurityGroupIds": ["sg-0"]}}}, "subnet-0"),
    ]
    for change, message in changes:
        with pytest.raises(ClientError, match=message):
            lab.sagemaker.create_processing_job(**request(lab, "", **change))
