# SPDX-License-Identifier: Apache-2.0
"""`mlops local up`, started once for the tests of this folder, and `mlops` as another terminal would run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Up:
    """A running `mlops local up --json`."""

    process: subprocess.Popen[str]
    ready: dict[str, str]

    def mlops(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """The command, with only what the account says about itself in the environment."""
        command, environment = self._command(arguments), self._environment()
        return subprocess.run(command, input=given, capture_output=True, text=True, env=environment, timeout=120)

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        """The same, while it still runs."""
        command, environment = self._command(arguments), self._environment()
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "mlops.cli", *arguments]

    def _environment(self) -> dict[str, str]:
        return without_aws() | {
            "AWS_ENDPOINT_URL": self.ready["aws_endpoint_url"],
            "AWS_REGION": self.ready["region"],
            "AWS_ACCESS_KEY_ID": self.ready["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.ready["secret_access_key"],
        }


def without_aws() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def start(*arguments: str) -> Up:
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops.cli", "local", "up", "--json", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=without_aws(),
    )
    assert process.stdout
    return Up(process, json.loads(process.stdout.readline()))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("account")


@pytest.fixture(scope="session")
def up() -> Iterator[Up]:
    started = start("--port", "0")
    yield started
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(20) == 0


@pytest.fixture
def start_up() -> Iterator[Callable[..., Up]]:
    """Starts accounts of a test's own; what still runs at the end is killed."""
    running: list[Up] = []

    def start_one(*arguments: str) -> Up:
        running.append(start(*arguments))
        return running[-1]

    yield start_one
    for one in running:
        one.process.kill()
        one.process.wait(20)
