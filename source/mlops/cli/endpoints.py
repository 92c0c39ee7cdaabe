# SPDX-License-Identifier: Apache-2.0
"""mlops invoke: send data to an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from mlops.cli import managing, naming, show
from mlops.cli.connection import Connection
from mlops.cli.failures import Failure, failure_from_aws

CONTENT_TYPES = {".json": "application/json", ".libsvm": "text/libsvm", ".svm": "text/libsvm"}
DEFAULT = "text/csv"
NO_SUCH_ENDPOINT = ("ValidationError", "ValidationException")  # the same codes as for other invalid parameters


@click.command(epilog="Example:  mlops invoke churn --data customers.csv")
@click.argument("endpoint")
@click.option("--data", type=click.File("rb"), required=True, help="File to send; - for stdin.")
@click.option("--content-type", help="Content type of the data. By default, from the file name extension, or text/csv.")
@click.pass_obj
def invoke(connection: Connection, endpoint: str, data: IO[bytes], content_type: str | None) -> None:
    """Send data to a SageMaker endpoint and print the response.

    ENDPOINT is the name of an endpoint, or of the pipeline that deployed it. A prefix of the pipeline's name is enough
    if it is unique.
    """
    content_type = content_type or CONTENT_TYPES.get(Path(getattr(data, "name", "")).suffix, DEFAULT)
    payload = data.read()

    def send(name: str) -> Any:
        return connection.session.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, ContentType=content_type, Body=payload
        )

    try:
        answer = send(endpoint)
    except ClientError as error:
        if error.response["Error"]["Code"] not in NO_SUCH_ENDPOINT:
            raise
        answer = send(of_pipeline(connection, endpoint, error))
    body: bytes = answer["Body"].read()
    if show.wants_json():
        show.as_json({"content_type": answer["ContentType"], "body": body.decode("utf-8", "replace")})
    else:
        click.echo(body, nl=not body.endswith(b"\n"))


def of_pipeline(connection: Connection, prefix: str, error: ClientError) -> str:
    """The endpoint of the only pipeline with this prefix and an endpoint. Raises Failure, with AWS's error."""
    found = {}
    try:
        for name in naming.names(connection, prefix)[: naming.SHOWN]:
            if endpoint := managing.endpoint_of(connection, name):
                found[name] = endpoint
    except (Failure, BotoCoreError, ClientError):  # the endpoint can exist without the orchestrator
        found = {}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise Failure(f"{prefix!r} matches {len(found)} pipelines with an endpoint", ", ".join(found)) from error
    failure = failure_from_aws(error)
    raise Failure(
        failure.message, failure.hint or "see SageMakerEndpointName in the output of: mlops status PIPELINE"
    ) from error
