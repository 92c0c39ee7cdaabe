# SPDX-License-Identifier: Apache-2.0
"""An account on this laptop as a process of its own, and what tests ask it with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from tests.support.environments import without_aws

Start = Callable[..., "Account"]


@dataclass(frozen=True)
class Account:
    endpoint: str
    session: boto3.Session
    process: subprocess.Popen[str]

    @property
    def region_name(self) -> str:
        return str(self.session.region_name)

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    def client(self, service: str, session: boto3.Session | None = None, **options: Any) -> Any:
        return (session or self.session).client(service, endpoint_url=self.endpoint, **options)

    def assume(self, role_arn: str) -> boto3.Session:
        """A session with what a role of this account may do."""
        answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
        return boto3.Session(
            answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"], region_name="us-east-1"
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)


def start_account(*arguments: str, program: str = "mlops.local") -> Account:
    process = subprocess.Popen(
        [sys.executable, "-m", program, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=without_aws(),
    )
    assert process.stdout is not None
    with process.stdout as lines:  # there is one
        ready = json.loads(lines.readline())
    session = boto3.Session(ready["access_key_id"], ready["secret_access_key"], region_name=ready["region"])
    return Account(ready["aws_endpoint_url"], session, process)


def stop_account(account: Account) -> int:
    account.process.send_signal(signal.SIGTERM)
    return account.process.wait(20)


@contextmanager
def running_account(*arguments: str) -> Iterator[Account]:
    """An account that has to end well."""
    account = start_account(*arguments)
    try:
        yield account
    finally:
        assert stop_account(account) == 0


@contextmanager
def starting() -> Iterator[Start]:
    """Starts accounts; what still runs at the end is killed."""
    running: list[Account] = []

    def start_one(*arguments: str) -> Account:
        running.append(start_account(*arguments))
        return running[-1]

    yield start_one
    for one in running:
        one.kill()
