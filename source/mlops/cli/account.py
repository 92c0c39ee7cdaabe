# SPDX-License-Identifier: Apache-2.0
"""Starts and stops the laptop account, and installs the orchestrator in it from the build that is also used in AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mlops.cli.building import Build, building, existing
from mlops.cli.connection import Connection
from mlops.cli.failures import Failure, last_line
from mlops.cli.show import Progress
from mlops.defaults import STACK_NAME
from mlops.deploy.install import ResourceEvent, install
from mlops.local.process.running import accounts

BUCKET = "mlops-distribution"
PARAMETERS = {"NotificationEmail": "you@laptop.example"}


@dataclass(frozen=True)
class Laptop:
    """The endpoint, the credentials and the resources of a running account."""

    aws_endpoint_url: str
    api_url: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str
    assets_bucket: str
    blueprint_bucket: str
    stack_name: str

    def document(self) -> dict[str, str]:
        return asdict(self)


@contextmanager
def running(
    port: int, data: Path | None, progress: Progress, assets: Path | None = None
) -> Iterator[tuple[Laptop, subprocess.Popen[str]]]:
    """An account that runs until this context exits, with this source tree or an existing build installed."""
    forget_other_accounts()
    progress(f"starting the account{'' if assets else ' and building the orchestrator'}")
    process = start(port, data)
    try:
        with to_install(assets) as built:  # while the account starts; one that does not is told at once
            laptop = installed(ready(process, port, data), built(), progress)
        yield laptop, process
    finally:
        stop(process)


@contextmanager
def to_install(assets: Path | None) -> Iterator[Callable[[], Build]]:
    if assets:
        yield lambda: existing(assets)
        return
    with tempfile.TemporaryDirectory(prefix="mlops-build-") as folder, building(Path(folder), BUCKET) as finished:
        yield finished


def start(port: int, data: Path | None) -> subprocess.Popen[str]:
    arguments = ["--port", str(port), *(["--data", str(data)] if data else [])]
    return subprocess.Popen(
        [sys.executable, "-m", "mlops.cli.child", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C must reach only this process, which then stops the account
    )


def ready(process: subprocess.Popen[str], port: int, data: Path | None) -> dict[str, str]:
    """The line that the account prints when it is ready. Later output goes to stderr."""
    assert process.stdout
    assert process.stderr
    line = process.stdout.readline()
    if not line:
        why = last_line(process.stderr.read()).removeprefix("mlops.local: ")
        raise Failure(f"The laptop account did not start: {why}", hint_for(port, data))
    for words in (process.stdout, process.stderr):
        threading.Thread(target=sys.stderr.writelines, args=(words,), daemon=True).start()
    found: dict[str, str] = json.loads(line)
    return found


def hint_for(port: int, data: Path | None) -> str:
    """What to do if an account did not start because another one has its port or its directory."""
    where = str(data.resolve()) if data else None
    others = ", ".join(one.endpoint for one in accounts() if one.port == port or (where and one.data == where))
    return f"a laptop account is running at {others}: use it, or stop it with mlops local down" if others else ""


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def installed(account: dict[str, str], built: Build, progress: Progress) -> Laptop:
    """Install the orchestrator in a running account. Existing resources are kept."""
    os.environ.update(
        AWS_ENDPOINT_URL=account["aws_endpoint_url"],
        AWS_REGION=account["region"],
        AWS_DEFAULT_REGION=account["region"],
        AWS_ACCESS_KEY_ID=account["access_key_id"],
        AWS_SECRET_ACCESS_KEY=account["secret_access_key"],
    )
    connection = Connection()
    progress("uploading the build")
    template = built.upload(connection)
    progress("installing the stack")

    def on_event(event: ResourceEvent) -> None:
        progress("installing the stack", f"{event.logical_id} {event.status.lower().replace('_', ' ')}")

    outputs = install(connection.session, STACK_NAME, template, PARAMETERS, on_event)
    connection.outputs = outputs
    return Laptop(
        **account,
        api_url=connection.api_url,
        assets_bucket=outputs["AssetsBucketName"],
        blueprint_bucket=outputs["BlueprintsBucketName"],
        stack_name=STACK_NAME,
    )


def forget_other_accounts() -> None:
    """Remove the AWS_* variables, which belong to another account."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
