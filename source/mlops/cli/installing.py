# SPDX-License-Identifier: Apache-2.0
"""mlops install: the orchestrator into whatever account the credentials are for."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import click

from mlops.cli import show
from mlops.cli.account import ROOT, SOLUTION
from mlops.cli.connection import Connection
from mlops.cli.failures import Failure
from mlops.deploy.install import ResourceEvent
from mlops.deploy.install import install as install_stack
from mlops.deploy.upload import upload

ASSETS = ROOT / "deployment"


def parameter(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    wrong = [text for text in given if "=" not in text]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE")
    return dict(text.split("=", 1) for text in given)


@click.command(epilog="Example:  mlops install --bucket my-mlops --email team@example.com")
@click.option("--bucket", required=True, help="Serves the build: BUCKET and BUCKET-<region>, made if missing.")
@click.option("--email", help="Gets a message when a pipeline ends. Needed the first time.")
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    callback=parameter,
    metavar="NAME=VALUE",
    help="Another parameter of the main template; may be repeated.",
)
@click.option("--release", default=f"v{version('mlops-orchestrator')}", show_default=True, help="The build's version.")
@click.option("--solution", default=SOLUTION, show_default=True, help="The build's prefix in the buckets.")
@click.option(
    "--assets",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=None,
    help="A build that exists, instead of building this source tree.",
)
@click.pass_obj
def install(
    connection: Connection,
    bucket: str,
    email: str | None,
    parameters: dict[str, str],
    release: str,
    solution: str,
    assets: Path | None,
) -> None:
    """Build the orchestrator, upload it, and create or update its stack.

    Takes whatever credentials are set. Installing the same again changes nothing.
    """
    if email:
        parameters["NotificationEmail"] = email
    with show.progress("building") as tell:
        if assets is None:
            build(bucket, solution, release)
        tell(f"uploading to {bucket}")
        template = upload(connection.session, assets or ASSETS, bucket, solution, release, create=True)
        tell("installing the stack")

        def heard(event: ResourceEvent) -> None:
            tell(f"{event.logical_id} {event.status.lower().replace('_', ' ')}")

        outputs = install_stack(connection.session, connection.stack_name, template, parameters, heard)
    connection.outputs = outputs
    if show.wants_json():
        show.as_json({"stack_name": connection.stack_name, "api_url": connection.api_url, "outputs": outputs})
    else:
        show.success(f"{connection.stack_name} is installed", {"API": connection.api_url, **outputs})


def build(bucket: str, solution: str, release: str) -> None:
    script = ROOT / "deployment" / "build-s3-dist.sh"
    done = subprocess.run([str(script), bucket, solution, release], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure("The orchestrator could not be built", (done.stderr or done.stdout).strip())
