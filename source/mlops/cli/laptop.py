# SPDX-License-Identifier: Apache-2.0
"""mlops local up: runs the laptop account until a signal stops it."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import click

import mlops.demo
from mlops.cli import account, show
from mlops.cli.account import Laptop
from mlops.cli.connection import Connection
from mlops.cli.failures import Failure
from mlops.local.settings import PORT
from mlops.sample import dataset

EXAMPLE = Path(mlops.demo.__file__).parent / "requests" / "training.json"


@click.command(epilog="Example:  mlops local up --data ~/.mlops")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Port on 127.0.0.1; 0 for any free port.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for the account's state. By default, no state is kept.",
)
@click.option(
    "--assets",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Install an existing build instead of building this source tree.",
)
@click.option("--sample", is_flag=True, help="Upload the demo's data set to the assets bucket.")
def up(port: int, data: Path | None, assets: Path | None, sample: bool) -> None:
    """Start an AWS account with the orchestrator on 127.0.0.1.

    The account runs until Ctrl-C, SIGTERM or `mlops local down`.
    """
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    with (
        suppress(Interrupted),
        show.progress("starting the account") as progress,
        account.running(port, data, progress, assets) as (laptop, process),
    ):
        progress("")
        if sample:
            dataset.upload(Connection().session.client("s3"), laptop.assets_bucket)
        if show.wants_json():
            click.echo(json.dumps(laptop.document()))
        else:
            print_summary(laptop, data)
            click.echo(
                f"\nThen, for example:\n\n  mlops provision {show.path(EXAMPLE) if sample else 'FILE'} --watch\n"
            )
            click.echo("Press Ctrl-C to stop the account.")
        serve(process)
    show.err().print("Stopped" if data is None else f"Stopped; the state is in {data}", markup=False)


class Interrupted(BaseException):
    """A signal stopped the command. Not an Exception, so that no handler catches it as an error."""


def interrupted(number: int, frame: FrameType | None) -> None:
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_IGN)  # ignore further signals during the shutdown
    raise Interrupted


def serve(process: subprocess.Popen[str]) -> None:
    if process.wait() != 0:
        raise Failure("The laptop account stopped unexpectedly", "see its error messages above")


def print_summary(laptop: Laptop, data: Path | None) -> None:
    show.success(
        "The laptop account is running, with the orchestrator installed",
        {
            "AWS endpoint": laptop.aws_endpoint_url,
            "API": laptop.api_url,
            "assets bucket": laptop.assets_bucket,
            "state": str(data) if data else "not kept (use --data DIR to keep it)",
        },
    )
    click.echo("\nTo use it with boto3, the AWS CLI and mlops, run in another terminal:\n")
    mlops = "mlops" if shutil.which("mlops") else shlex.quote(str(Path(sys.executable).with_name("mlops")))
    click.echo(f'  eval "$({mlops} local env --port {urlsplit(laptop.aws_endpoint_url).port})"')
