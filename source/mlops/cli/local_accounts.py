# SPDX-License-Identifier: Apache-2.0
"""mlops local env, status, down, reset: the running laptop accounts of this user, and their state directories.

In: the files that running accounts keep (mlops.local.process.running). If several accounts are running, --port selects
one.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from mlops.cli import show, table
from mlops.cli.failures import Document, Failure, Interrupted
from mlops.local.process import running
from mlops.local.process.running import Running
from mlops.local.state import directory

DOWN_SECONDS = 60  # saving can take a while on a slow disk
UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN")


def complete_port(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(str(one.port)) for one in running.accounts() if str(one.port).startswith(incomplete)]


def port_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--port",
        type=click.IntRange(1, 65535),
        shell_complete=complete_port,
        help="Port of the account, if several are running.",
    )(command)


def find_account(port: int | None) -> Running:
    """The running account, or the one on a port."""
    found = [one for one in running.accounts() if port in (None, one.port)]
    if not found:
        where = f" on port {port}" if port else ""
        others = ", ".join(str(one.port) for one in running.accounts())
        hint = f"accounts are running on port {others}" if others else "start one: mlops local up"
        raise Failure(f"No laptop account is running{where}", hint)
    if len(found) > 1:
        ports = ", ".join(str(one.port) for one in found)
        raise Failure(f"{len(found)} laptop accounts are running, on ports {ports}", "select one with --port")
    return found[0]


@click.command(epilog='Example:  eval "$(mlops local env)"')
@port_option
def env(port: int | None) -> None:
    """Print shell commands that select the laptop account.

    The commands set the endpoint and the credentials for boto3, the AWS CLI and mlops. Evaluate them in bash, zsh or
    another POSIX shell. The output contains the account's secret access key.
    """
    account = find_account(port)
    if show.wants_json():
        show.as_json(account.environment)
        return
    click.echo(f"unset {' '.join(UNSET)}")
    for name, value in account.environment.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    if shutil.which("mlops") is None:
        click.echo(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')


@click.command(epilog="Example:  mlops local status")
@port_option
def status(port: int | None) -> None:
    """Show the running laptop accounts. The exit code is 1 if none is running."""
    found = [one for one in running.accounts() if port in (None, one.port)]
    if show.wants_json():
        show.as_json([document(one) for one in found])
    elif found:
        rows = [(one.endpoint, str(one.pid), one.started, one.data or "not kept") for one in found]
        table.write(("ENDPOINT", "PID", "STARTED", "STATE"), rows)
    else:
        find_account(port)  # raises Failure
    if not found:
        click.get_current_context().exit(1)


@click.command(epilog="Example:  mlops local down")
@port_option
def down(port: int | None) -> None:
    """Stop the laptop account and wait until it has stopped."""
    account = find_account(port)
    try:
        stop(account)
    except KeyboardInterrupt as interrupt:
        message = f"Stopped waiting; the laptop account at {account.endpoint} (process {account.pid}) is still stopping"
        raise Interrupted(message, "check with: mlops local status") from interrupt
    if show.wants_json():
        show.as_json(document(account))
    else:
        state = f"its state is in {account.data}" if account.data else "its state was not kept"
        show.success(f"Stopped the laptop account at {account.endpoint}; {state}")


def stop(account: Running) -> None:
    with show.activity("") as activity:
        activity.line(f"Stopping the laptop account at {account.endpoint}")
        with suppress(ProcessLookupError):
            os.kill(account.pid, signal.SIGTERM)
        deadline = time.monotonic() + DOWN_SECONDS
        while any(one.pid == account.pid for one in running.accounts()):
            if time.monotonic() > deadline:
                raise Failure(f"Process {account.pid} did not stop within {DOWN_SECONDS} s", f"kill {account.pid}")
            time.sleep(0.1)


@click.command(epilog="Example:  mlops local reset --data ~/.mlops")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The directory that was passed to `mlops local up --data`.",
)
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
def reset(data: Path, yes: bool) -> None:
    """Delete the state of a laptop account.

    Other files in the directory are kept. The account must not be running.
    """
    if not yes:
        click.confirm(f"Delete the state of the laptop account in {data}?", abort=True, err=True)
    try:
        directory.removed(data)
    except directory.Unusable as error:
        hint = (
            "stop it first: mlops local down"
            if any(one.data == str(data.resolve()) for one in running.accounts())
            else ""
        )
        raise Failure(str(error), hint) from error
    if show.wants_json():
        show.as_json({"data": str(data)})
    else:
        show.success(f"Deleted the state of the laptop account in {data}")


def document(account: Running) -> Document:
    """An account for --json, without its secret access key."""
    return {
        "endpoint": account.endpoint,
        "port": account.port,
        "pid": account.pid,
        "started": account.started,
        "data": account.data,
        "region": account.region,
        "account_id": account.account_id,
    }
