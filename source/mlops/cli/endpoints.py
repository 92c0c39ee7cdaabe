# SPDX-License-Identifier: Apache-2.0
"""mlops invoke: send data to an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from mlops.cli import show
from mlops.cli.connection import Connection

CONTENT_TYPES = {".json": "application/json", ".libsvm": "text/libsvm", ".svm": "text/libsvm"}
DEFAULT = "text/csv"


@click.command(epilog="Example:  mlops invoke churn --data customers.csv")
@click.argument("endpoint")
@click.option("--data", type=click.File("rb"), required=True, help="File to send; - for stdin.")
@click.option("--content-type", help="Content type of the data. Default: by the file's suffix, else text/csv.")
@click.pass_obj
def invoke(connection: Connection, endpoint: str, data: IO[bytes], content_type: str | None) -> None:
    """Send data to a SageMaker endpoint and print the response."""
    content_type = content_type or CONTENT_TYPES.get(Path(getattr(data, "name", "")).suffix, DEFAULT)
    answer = connection.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType=content_type, Body=data.read()
    )
    body: bytes = answer["Body"].read()
    if show.wants_json():
        show.as_json({"content_type": answer["ContentType"], "body": body.decode("utf-8", "replace")})
    else:
        click.echo(body, nl=not body.endswith(b"\n"))
