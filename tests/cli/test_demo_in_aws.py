# SPDX-License-Identifier: Apache-2.0
"""The demo in an account that is there already: the same story, its checks, and nothing left of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.support.commands import Up


def stacks(up: Up) -> list[str]:
    return [stack["StackName"] for stack in up.client("cloudformation").describe_stacks()["Stacks"]]


def test_it_names_its_costs_asks_and_without_a_yes_makes_nothing(up: Up) -> None:
    before = stacks(up)
    done = up.python("mlops.demo", "--in-aws", given="n\n")
    assert done.returncode == 1
    assert "0.12 USD per hour" in done.stdout
    assert f"account {up.ready['account_id']}" in done.stdout
    assert stacks(up) == before


def test_it_checks_its_promises_and_cleans_up(start_up: Callable[..., Up]) -> None:
    up = start_up()
    done = up.python("mlops.demo", "--in-aws", "--yes", "--clean-up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Check a guarantee") == 3
    said = "".join(done.stdout.split())  # lines are wrapped wherever they end
    assert re.search(r"checked:arn:aws:states:[\w:-]+:stateMachine:[\w-]+:1wasrun3", said)
    assert "rolled back" in done.stdout
    assert stacks(up) == ["mlops-orchestrator"]


@pytest.mark.parametrize("arguments", [["--yes"], ["--clean-up"], ["--in-aws", "--keep"]])
def test_its_options_belong_together(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "mlops.demo", *arguments]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 2
