# SPDX-License-Identifier: Apache-2.0
"""Scripts of users, as archives in S3, and the images that run them."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.support.lab import Lab
from tests.support.naming import unique
from tests.support.waiting import wait_for

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"

TRAIN = """
import argparse, os
import joblib, pandas
from sklearn.linear_model import LogisticRegression

parser = argparse.ArgumentParser()
parser.add_argument("--strength", type=float)
parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
arguments = parser.parse_args()
table = pandas.read_csv(os.path.join(arguments.train, "data.csv"), header=None).values
model = LogisticRegression(C=arguments.strength).fit(table[:, 1:], table[:, 0])
print("train-accuracy=" + str(model.score(table[:, 1:], table[:, 0])))
joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
"""
SERVE = """
import os
import joblib

def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))
"""


def packed(**files: str | bytes) -> bytes:
    """A .tar.gz of files by name; two underscores stand for a dot, three for a slash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("___", "/").replace("__", "."))
            body = content.encode() if isinstance(content, str) else content
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def put_code(lab: Lab, **files: str | bytes) -> str:
    """An archive in the lab's bucket."""
    return lab.put(f"{unique('code')}/sourcedir.tar.gz", packed(**files))


def training(lab: Lab, data: str, code: str, image: str = SKLEARN, **hyperparameters: Any) -> dict[str, Any]:
    """A CreateTrainingJob request for the script train.py, with hyperparameters encoded as the SDK does."""
    given = {"sagemaker_program": "train.py", "sagemaker_submit_directory": code, **hyperparameters}
    return lab.training_request(
        data,
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
        HyperParameters={name: json.dumps(value) for name, value in given.items()},
    )


def unpacked_file(lab: Lab, artifact: str, name: str) -> io.BytesIO:
    """A file in an archive of the lab's bucket."""
    key = artifact.removeprefix(f"s3://{lab.bucket}/")
    with tarfile.open(fileobj=io.BytesIO(lab.s3.get_object(Bucket=lab.bucket, Key=key)["Body"].read())) as archive:
        file = archive.extractfile(name)
        assert file is not None
        return io.BytesIO(file.read())


def logged(lab: Lab, name: str, group: str = "/aws/sagemaker/TrainingJobs") -> str:
    """What a job or endpoint has logged; nothing while it has no log."""
    logs = lab.account.client("logs")
    try:
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"]
    except ClientError:
        return ""
    pages = [logs.get_log_events(logGroupName=group, logStreamName=one["logStreamName"]) for one in streams]
    return "\n".join(event["message"] for page in pages for event in page["events"])


def running_script(lab: Lab, name: str, group: str = "/aws/sagemaker/TrainingJobs") -> int:
    """The process of a script that prints "waiting as <process>", when it does."""

    def said() -> str | None:
        return logged(lab, name, group).partition("waiting as ")[2].split("\n")[0] or None

    return int(wait_for(said))


def lives(process: int) -> bool:
    """Whether a process is there, and has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
