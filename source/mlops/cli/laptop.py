# SPDX-License-Identifier: Apache-2.0
"""mlops local up: the account on your laptop, until it is signalled."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

import click

from mlops.cli import account, show
from mlops.cli.account import Laptop
from mlops.cli.connection import Connection
from mlops.cli.failures import Failure
from mlops.sample import dataset

EXAMPLE = "source/mlops/demo/requests/training.json"


@click.command(epilog="Example:  mlops local up --data ~/.mlops")
@click.option("--port", type=click.IntRange(0, 65535), default=4566, show_default=True, help="0 takes a free one.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the account's state in this directory; without it nothing is kept.",
)
@click.option("--sample", is_flag=True, help="Put the demo's data set into the assets bucket, for its requests to use.")
def up(port: int, data: Path | None, sample: bool) -> None:
    """Start an AWS account on 127.0.0.1 with the orchestrator installed, and serve until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    try:
        with show.progress("starting the account") as tell, account.running(port, data, tell) as (laptop, process):
            tell("")
            if sample:
                dataset.upload(Connection().client("s3"), laptop.assets_bucket)
            if show.wants_json():
                click.echo(json.dumps(laptop.document()))
            else:
                introduce(laptop, data)
                click.echo(
                    f"\nThen, for example:  mlops provision {EXAMPLE if sample else 'FILE'} --watch\nCtrl-C ends it."
                )
            serve(process)
    except Interrupted:
        show.err().print("stopped" if data is None else f"stopped; its state is in {data}")


class Interrupted(BaseException):
    """A signal asked us to end. Not an Exception, so that nothing on the way takes it for an error."""


def interrupted(number: int, frame: FrameType | None) -> None:
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_IGN)  # once is enough: ending takes a moment
    raise Interrupted


def serve(process: subprocess.Popen[str]) -> None:
    if process.wait() != 0:
        raise Failure("The account on your laptop ended by itself", "its own words are above")


def introduce(laptop: Laptop, data: Path | None) -> None:
    show.success(
        "The account on your laptop is ready, with the orchestrator in it",
        {
            "AWS endpoint": laptop.aws_endpoint_url,
            "API": laptop.api_url,
            "assets bucket": laptop.assets_bucket,
            "state": str(data) if data else "not kept (--data DIR keeps it)",
        },
    )
    click.echo("\nFor boto3, the AWS CLI and mlops in another terminal:\n")
    click.echo("unset AWS_PROFILE AWS_SESSION_TOKEN")
    for name, value in laptop.environment.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    if shutil.which("mlops") is None:
        click.echo(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')
