# SPDX-License-Identifier: Apache-2.0
"""The steps of the demo, from a request to predictions on rows that were not used for training.

The same steps work in AWS: upload, POST with SigV4, poll the status, invoke.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from mlops.cli import show, watching
from mlops.cli.connection import Connection
from mlops.cli.failures import Document, Failure
from mlops.cli.request_file import filled
from mlops.demo import scores
from mlops.sample import dataset
from mlops.sample.dataset import Row

REQUESTS = Path(__file__).parent / "requests"
ENDPOINT = "breast-cancer"


@dataclass(frozen=True)
class DemoResult:
    """The results of the demo."""

    training: Document  # the status of its pipeline
    serving: Document
    serving_request: bytes
    job: str


def run(connection: Connection, after_training: Callable[[Document], None] = lambda training: None) -> DemoResult:
    """Train, serve and invoke a model in the account of a connection. The orchestrator must be installed.

    `after_training` is called with the status of the training pipeline before the endpoint is created.
    """
    bucket = connection.outputs["AssetsBucketName"]

    step(1, "Upload a real data set", dataset.SOURCE)
    data = dataset.upload(connection.session.client("s3"), bucket)
    note(f"{len(data.train)} rows for training, {len(data.validation)} for validation, {len(data.unseen)} for testing")

    step(2, "Request a training job", f"POST {connection.api_url}/provisionpipeline, signed with SigV4")
    training = provision(connection, request("training"))
    job = training["pipeline"]["job"]
    for name, value in job["metrics"].items():
        note(f"{name} = {value:.4f}")
    note(f"model artifact: {job['artifact']}")
    after_training(training)

    step(3, "Request an endpoint for this model", "the same API, another pipeline type")
    serving_request = request("realtime", connection.outputs)
    serving = provision(connection, serving_request)

    step(4, f"Predict the {len(data.unseen)} test rows", "with the endpoint and with the inference API")
    truth = [row.malignant for row in data.unseen]
    predictions = ask_endpoint(connection, data.unseen)
    same = ask_api(connection, serving, data.unseen) == predictions
    if not same:
        raise Failure("The endpoint and the inference API returned different predictions")
    right = scores.right(truth, predictions)
    note(f"AUC {scores.auc(truth, predictions):.4f}")
    note(f"accuracy {right / len(truth):.1%} ({right} of {len(truth)} rows)")
    note("the inference API returns the same predictions")

    return DemoResult(training, serving, serving_request, job["name"])


def request(name: str, outputs: Mapping[str, str] | None = None) -> bytes:
    """A request body from requests/, with the outputs of the main stack filled in."""
    return filled((REQUESTS / f"{name}.json").read_bytes(), lambda: outputs or {})


def provision(connection: Connection, body: bytes) -> Document:
    """Send a request and watch its pipeline until it ends."""
    answer = connection.post("provisionpipeline", body)
    note(answer["message"])
    return watching.follow(connection, answer["name"])


def ask_endpoint(connection: Connection, rows: list[Row]) -> list[float]:
    answer = connection.session.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=ENDPOINT, ContentType="text/csv", Body=dataset.unlabelled(rows)
    )
    return numbers(answer["Body"].read().decode())


def ask_api(connection: Connection, serving: Document, rows: list[Row]) -> list[float]:
    """Call the inference API, which does not require SageMaker permissions."""
    body = json.dumps({"payload": dataset.unlabelled(rows).decode(), "content_type": "text/csv"}).encode()
    status, _, text = connection.signed("POST", inference_url(connection, serving), body)
    if status != 200:
        raise Failure(f"The inference API responded with {status}: {text}")
    return numbers(text)


def inference_url(connection: Connection, serving: Document) -> str:
    outputs: dict[str, Any] = serving["pipeline"]["outputs"]
    [url] = [value for name, value in outputs.items() if name.startswith("BYOMInferenceLambdaRestApiEndpoint")]
    return f"{connection.reachable(url)}/inference"


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.split(r"[,\s]+", text.strip())]


def step(number: int, title: str, detail: str) -> None:
    show.out().print(f"\n[bold cyan]{number}[/]  [bold]{escape(title)}[/]\n   [dim]{escape(detail)}[/]")


def note(text: str) -> None:
    show.out().print(f"   {escape(text)}")


def epilogue(result: DemoResult, place: str, bucket: str) -> None:
    """Print the created resources."""
    console = show.out()
    console.print(f"\n[bold green]✓[/] [bold]Done.[/] In {escape(place)}, two requests created:")
    made = {
        result.training["pipeline"]["name"]: f"a delivery pipeline, its stack, and the training job {result.job}",
        result.serving["pipeline"]["name"]: f"a delivery pipeline, the endpoint {ENDPOINT} and its inference API",
        bucket: "the bucket with the data, the model and the captured predictions",
    }
    for name, what in made.items():
        console.print(f"   [cyan]{escape(name)}[/]\n      {escape(what)}")
    console.print(f"\nThe requests are {escape(show.path(REQUESTS))}/*.json.")
