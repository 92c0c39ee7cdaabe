# SPDX-License-Identifier: Apache-2.0
"""An account on this laptop as a process of its own, and what tests ask it with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3


@dataclass(frozen=True)
class Account:
    endpoint: str
    session: boto3.Session
    process: subprocess.Popen[str]

    def client(self, service: str, session: boto3.Session | None = None) -> Any:
        return (session or self.session).client(service, endpoint_url=self.endpoint)

    def assume(self, role_arn: str) -> boto3.Session:
        """A session with what a role of this account may do."""
        answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
        return boto3.Session(
            answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"], region_name="us-east-1"
        )


def start_account(*arguments: str, program: str = "mlops.local") -> Account:
    process = subprocess.Popen(
        [sys.executable, "-m", program, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=_clean_environment(),
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    session = boto3.Session(ready["access_key_id"], ready["secret_access_key"], region_name=ready["region"])
    return Account(ready["aws_endpoint_url"], session, process)


def stop_account(account: Account) -> int:
    account.process.send_signal(signal.SIGTERM)
    return account.process.wait(15)


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def wait_for(question: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer to `question`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{question} was not true within {seconds} s")
