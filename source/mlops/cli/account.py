# SPDX-License-Identifier: Apache-2.0
"""The account on your laptop with the orchestrator in it: started, installed from the same build AWS gets, ended."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from mlops.cli.connection import STACK_NAME, Connection
from mlops.cli.failures import Failure
from mlops.deploy.install import ResourceEvent, install
from mlops.deploy.upload import upload

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build" / "laptop"
SOURCES = ("orchestrator", "blueprints", "source/functions", "source/mlops/deploy", "deployment")
BUCKET, SOLUTION = "mlops-distribution", "mlops-orchestrator"
PARAMETERS = {"NotificationEmail": "you@laptop.example"}

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Laptop:
    """What a caller needs to know of a running account."""

    aws_endpoint_url: str
    api_url: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str
    assets_bucket: str
    blueprint_bucket: str
    stack_name: str

    @property
    def environment(self) -> dict[str, str]:
        """With these set, boto3, the AWS CLI and `mlops` talk to this account."""
        return {
            "AWS_ENDPOINT_URL": self.aws_endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }

    def document(self) -> dict[str, str]:
        return asdict(self)


@contextmanager
def running(port: int, data: Path | None, tell: Tell) -> Iterator[tuple[Laptop, subprocess.Popen[str]]]:
    """An account that serves as long as this context lasts."""
    forget_other_accounts()
    tell("starting the account")
    process = start(port, data)
    try:
        yield installed(ready(process), tell), process
    finally:
        stop(process)


def start(port: int, data: Path | None) -> subprocess.Popen[str]:
    arguments = ["--port", str(port), *(["--data", str(data)] if data else [])]
    return subprocess.Popen(
        [sys.executable, "-m", "mlops.cli.child", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for us; we tell the account
    )


def ready(process: subprocess.Popen[str]) -> dict[str, str]:
    """The line the account prints once it answers."""
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise Failure("The account on your laptop did not start", "its own words are above")
    found: dict[str, str] = json.loads(line)
    return found


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def installed(account: dict[str, str], tell: Tell) -> Laptop:
    """The orchestrator, built and installed in a running account. What is there already stays."""
    os.environ.update(
        AWS_ENDPOINT_URL=account["aws_endpoint_url"],
        AWS_REGION=account["region"],
        AWS_DEFAULT_REGION=account["region"],
        AWS_ACCESS_KEY_ID=account["access_key_id"],
        AWS_SECRET_ACCESS_KEY=account["secret_access_key"],
    )
    connection = Connection()
    tell("building the orchestrator")
    release = f"v{version('mlops-orchestrator')}-{sources_digest()}"
    build(release)
    tell("uploading the build")
    template = upload(connection.session, BUILD, BUCKET, SOLUTION, release, create=True)
    tell("installing the stack")

    def heard(event: ResourceEvent) -> None:
        tell(f"installing the stack: {event.logical_id} {event.status.lower().replace('_', ' ')}")

    outputs = install(connection.session, STACK_NAME, template, PARAMETERS, heard)
    connection.outputs = outputs
    return Laptop(
        **account,
        api_url=connection.api_url,
        assets_bucket=outputs["AssetsBucketName"],
        blueprint_bucket=outputs["BlueprintsBucketName"],
        stack_name=STACK_NAME,
    )


def build(release: str) -> None:
    """With the script that builds for AWS."""
    script = ROOT / "deployment" / "build-s3-dist.sh"
    done = subprocess.run(
        [str(script), BUCKET, SOLUTION, release, "--out", str(BUILD)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failure("The orchestrator could not be built", (done.stderr or done.stdout).strip())


def sources_digest() -> str:
    """Changed sources are a new version, so that an account kept in --data takes them up."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and "-s3-assets" not in str(path):
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def forget_other_accounts() -> None:
    """Whatever account the environment names, it isn't this one."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
