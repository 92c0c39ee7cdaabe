# SPDX-License-Identifier: Apache-2.0
"""mlops install: installs the orchestrator in the credentials' account."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from mlops.cli import show
from mlops.cli.building import Build, build, existing
from mlops.cli.connection import Connection
from mlops.cli.failures import Interrupted
from mlops.deploy.install import ResourceEvent
from mlops.deploy.install import install as install_stack


def parameter(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    wrong = [text for text in given if "=" not in text]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE")
    return dict(text.split("=", 1) for text in given)


@click.command(epilog="Example:  mlops install --bucket my-distribution --email team@example.com")
@click.option("--bucket", help="Build this source tree and upload it to BUCKET and BUCKET-<region>.")
@click.option(
    "--assets",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Upload an existing build, for example deployment after deployment/build-s3-dist.sh.",
)
@click.option("--email", help="Email address for notifications. Required for the first installation.")
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    callback=parameter,
    metavar="NAME=VALUE",
    help="Parameter of the main template. Can be repeated.",
)
@click.pass_obj
def install(
    connection: Connection, bucket: str | None, assets: Path | None, email: str | None, parameters: dict[str, str]
) -> None:
    """Install or update the orchestrator in an AWS account.

    Uploads the build and creates or updates the main stack. Missing buckets are created. Reinstalling the same build
    changes nothing. Parameters that are not specified keep their values.
    """
    if (bucket is None) == (assets is None):
        raise click.UsageError(
            "Use either --bucket, to build this source tree, or --assets, to upload an existing build."
        )
    if email:
        parameters["NotificationEmail"] = email
    with show.progress("building") as progress, tempfile.TemporaryDirectory() as folder:
        built: Build = existing(assets) if assets else build(Path(folder), str(bucket))
        built.check(connection)
        progress(f"uploading {built.version} to {built.bucket}")
        template = built.upload(connection)
        progress("installing the stack")

        def on_event(event: ResourceEvent) -> None:
            progress("installing the stack", f"{event.logical_id} {event.status.lower().replace('_', ' ')}")

        try:
            outputs = install_stack(connection.session, connection.stack_name, template, parameters, on_event)
        except KeyboardInterrupt as interrupt:
            message = f"Stopped waiting; the installation of the stack {connection.stack_name} is still in progress"
            raise Interrupted(message, "to resume waiting, run mlops install with the same options") from interrupt
    connection.outputs = outputs
    outputs = connection.all_reachable(outputs)
    if show.wants_json():
        show.as_json(
            {
                "stack_name": connection.stack_name,
                "version": built.version,
                "api_url": connection.api_url,
                "outputs": outputs,
            }
        )
    else:
        show.success(f"{connection.stack_name} {built.version} is installed", {"API": connection.api_url, **outputs})
