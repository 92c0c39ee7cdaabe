# SPDX-License-Identifier: Apache-2.0
"""`make tour`: every pipeline type that trains, serves or builds, on one data set.

Four models are trained and registered, compared on rows that none of them has seen, and the best one is approved and
deployed.
"""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops.cli import table, watching
from mlops.cli.connection import Connection
from mlops.cli.failures import Document, Failure, PipelineFailed
from mlops.cli.request_file import filled
from mlops.demo import scores
from mlops.demo.story import note, numbers, provision, step
from mlops.sample import dataset
from mlops.sample.dataset import Split

REQUESTS = Path(__file__).parent / "requests" / "tour"
SCRIPT = Path(__file__).parent / "tour_script" / "train.py"
GROUP = ENDPOINT = "tour"
DOCKERFILE = "FROM public.ecr.aws/docker/library/python:3.13-slim\nRUN pip install scikit-learn\n"
TRAINING = {  # request -> how its model is trained
    "training": "XGBoost",
    "tuning": "XGBoost, tuned",
    "script": "a script of the user, scikit-learn",
    "autopilot": "Autopilot",
}


@dataclass
class Candidate:
    """One of the trained models."""

    name: str
    how: str
    status: Document  # of its training pipeline
    package: str  # its ARN in the model registry
    predictions: list[float]
    right: int = 0

    @property
    def validation(self) -> str:
        metrics: Mapping[str, float] = self.status["pipeline"]["job"].get("metrics") or {}
        return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())


def run(connection: Connection) -> None:
    """Walk through the types in the account of a connection. The orchestrator must be installed."""
    data = dataset.load(*dataset.LARGER)
    step(1, "Upload one data set, a script, and a Dockerfile", dataset.SOURCE)
    upload(connection, data)
    note(
        f"{len(data.train)} rows to train on, {len(data.validation)} to validate, {len(data.unseen)} for the comparison"
    )

    step(2, "Train four models at the same time", "and register each of them in the model registry")
    candidates = train(connection)

    step(3, "Approve them, and compare them on the same unseen rows", "one batch transform for each")
    for candidate in candidates:
        approve(connection, candidate, "Approved")
    compare(connection, data, candidates)
    best = max(candidates, key=lambda one: one.right)

    step(4, f"Deploy the best one: {best.name}", f"reject the others; the request names the group {GROUP}")
    for candidate in candidates:
        if candidate is not best:
            approve(connection, candidate, "Rejected")
    serving = deploy(connection, data, best)

    step(5, "Write a model card", "what the model is for, and how it did")
    card(connection, best, serving, len(data.unseen))

    step(6, "Build a container image", "from a zip with a Dockerfile, by CodeBuild")
    build_image(connection)

    step(7, "The result", f"accuracy on {len(data.unseen)} rows that no model was trained on")
    write(connection, candidates, best, len(data.unseen))


def request(name: str, connection: Connection, **values: str) -> bytes:
    """A request body of the tour, with the outputs of the main stack and other values filled in."""
    return filled((REQUESTS / f"{name}.json").read_bytes(), lambda: connection.outputs | values)


def upload(connection: Connection, data: Split) -> None:
    s3, bucket = connection.session.client("s3"), connection.outputs["AssetsBucketName"]
    for key, body in {
        "train.csv": dataset.labelled(data.train),
        "validation.csv": dataset.labelled(data.validation),
        "table.csv": dataset.table(data.train + data.validation),
        "unseen.csv": dataset.unlabelled(data.unseen),
        "script.tar.gz": tar_of("train.py", SCRIPT.read_bytes()),
        "image.zip": zip_of("Dockerfile", DOCKERFILE.encode()),
    }.items():
        s3.put_object(Bucket=bucket, Key=f"tour/{key}", Body=body)


def train(connection: Connection) -> list[Candidate]:
    """Send all the requests, then wait for each pipeline."""
    sent = {name: connection.post("provisionpipeline", request(name, connection)) for name in TRAINING}
    candidates = []
    for name, how in TRAINING.items():
        status = watching.follow(connection, sent[name]["name"])
        package = status["pipeline"]["job"]["registered"]
        candidate = Candidate(name, how, status, package, [])
        measured = f"{candidate.validation}; " if candidate.validation else ""
        note(f"{how}: {measured}registered as {package.partition('model-package/')[2]}")
        candidates.append(candidate)
    return candidates


def approve(connection: Connection, candidate: Candidate, status: str) -> None:
    connection.session.client("sagemaker").update_model_package(
        ModelPackageArn=candidate.package,
        ModelApprovalStatus="Approved" if status == "Approved" else "Rejected",
        ApprovalDescription="The tour of MLOps Orchestrator",
    )


def compare(connection: Connection, data: Split, candidates: list[Candidate]) -> None:
    """Predict the unseen rows with each model, in a batch transform."""
    sent = [
        connection.post("provisionpipeline", request("batch", connection, Model=one.name, Package=one.package))
        for one in candidates
    ]
    truth = [row.malignant for row in data.unseen]
    for candidate, answer in zip(candidates, sent, strict=True):
        status = watching.follow(connection, answer["name"])
        candidate.predictions = numbers(output(connection, status["pipeline"]["job"]["artifact"]))
        candidate.right = scores.right(truth, candidate.predictions)
        note(f"{candidate.how}: {candidate.right} of {len(truth)} are right")


def output(connection: Connection, prefix: str) -> str:
    """The predictions of a batch transform on unseen.csv."""
    bucket, _, folder = prefix.removeprefix("s3://").partition("/")
    found = connection.session.client("s3").get_object(Bucket=bucket, Key=f"{folder.rstrip('/')}/unseen.csv.out")
    return found["Body"].read().decode()


def deploy(connection: Connection, data: Split, best: Candidate) -> Document:
    answer = connection.post("provisionpipeline", request("realtime", connection))
    note(f"the group's latest approved version: {answer['resolved']['model_package_name']['model_package']}")
    serving = watching.follow(connection, answer["name"])
    response = connection.session.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=ENDPOINT, ContentType="text/csv", Accept="text/csv", Body=dataset.unlabelled(data.unseen)
    )
    if numbers(response["Body"].read().decode()) != best.predictions:
        raise Failure("The endpoint and the batch transform returned different predictions")
    note("the endpoint's predictions are those of the batch transform")
    return serving


def card(connection: Connection, best: Candidate, serving: Document, rows: int) -> None:
    values = {
        "SageMakerModelName": serving["pipeline"]["outputs"]["SageMakerModelName"],
        "Algorithm": best.how,
        "Evaluation": f"{best.right} of {rows} unseen rows are predicted correctly.",
    }
    answer = connection.post("provisionpipeline", request("card", connection, **values))
    note(f"{answer['message']['ModelCardName']}, version {answer['message']['ModelCardVersion']}, status Draft")


def build_image(connection: Connection) -> None:
    """Ask for an image. An account without Docker says so, and its pipeline fails with that reason."""
    try:
        built = provision(connection, request("image", connection))
        note(f"image: {built['pipeline']['outputs']['CustomAlgorithmImageURI']}")
    except PipelineFailed as failed:
        reason = str(failed.document()["pipeline"]["reason"])
        if "Docker" not in reason:
            raise
        note(f"expected on a laptop: {reason.partition(' Log: ')[0]}")


def write(connection: Connection, candidates: list[Candidate], best: Candidate, rows: int) -> None:
    """The table of the models."""
    table.write(
        ("MODEL", "HOW", "ON VALIDATION", "RIGHT", "ACCURACY", ""),
        [
            (
                one.name,
                one.how,
                one.validation,
                f"{one.right} of {rows}",
                f"{one.right / rows:.1%}",
                "deployed" if one is best else "",
            )
            for one in candidates
        ],
    )


def tar_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size, member.mtime = len(content), int(time.time())
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()
