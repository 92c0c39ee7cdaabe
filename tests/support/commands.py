# SPDX-License-Identifier: Apache-2.0
"""`mlops local up` as a process, and `mlops` as another terminal would run it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from mlops.demo import story

from tests.support.environments import without_aws

TRAINING = json.loads(story.request("training"))  # the demo's request
Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Up:
    """A running `mlops local up --json`."""

    process: subprocess.Popen[str]
    ready: dict[str, str]

    @property
    def port(self) -> int:
        return int(self.ready["aws_endpoint_url"].rpartition(":")[2])

    @property
    def session(self) -> boto3.Session:
        keys = self.ready["access_key_id"], self.ready["secret_access_key"]
        return boto3.Session(*keys, region_name=self.ready["region"])

    @property
    def environment(self) -> dict[str, str]:
        """Of another terminal, with only what the account says about itself."""
        return without_aws() | {
            "AWS_ENDPOINT_URL": self.ready["aws_endpoint_url"],
            "AWS_REGION": self.ready["region"],
            "AWS_ACCESS_KEY_ID": self.ready["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.ready["secret_access_key"],
        }

    @property
    def answers(self) -> bool:
        """Whether anything listens on its port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.ready["aws_endpoint_url"])

    def mlops(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return self.python("mlops.cli", *arguments, given=given)

    def python(self, module: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """A module run as a command, to its end."""
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, env=self.environment, timeout=200)

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        """`mlops` while it still runs."""
        command = [sys.executable, "-m", "mlops.cli", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=self.environment)

    def end(self) -> None:
        """Ask it to end, which it has to do well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0


def local_up(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """`mlops local up --json` on a free port, which does not answer yet."""
    command = [sys.executable, "-m", "mlops.cli", "local", "up", "--port", "0", "--json", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**without_aws(), **(environment or {})})


def ready(process: subprocess.Popen[str]) -> Up:
    assert process.stdout
    with process.stdout as lines:  # there is one
        return Up(process, json.loads(lines.readline()))


@contextmanager
def starting(*options: str) -> Iterator[Callable[..., Up]]:
    """Starts accounts; what still runs at the end is killed."""
    running: list[Up] = []

    def start_one(*arguments: str) -> Up:
        running.append(ready(local_up(*options, *arguments)))
        return running[-1]

    yield start_one
    for one in running:
        one.process.kill()
        one.process.wait(20)
