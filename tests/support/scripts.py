# SPDX-License-Identifier: Apache-2.0
"""Scripts of users, as archives in S3, and the images that run them."""

import io
import json
import tarfile
from typing import Any

from tests.support.lab import Lab
from tests.support.naming import unique

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
