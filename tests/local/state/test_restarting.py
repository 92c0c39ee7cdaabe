# SPDX-License-Identifier: Apache-2.0
"""With --data the account outlives its process, a kill included; without, it leaves nothing behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.codepipelines import (
    MODEL_OF_NOTHING,
    approval,
    declaration,
    deploy,
    source,
    versioned_bucket,
    zipped,
)
from tests.support.laptop import Account, start_account, stop_account
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

Start = Callable[..., Account]


def make_pipeline(account: Account) -> str:
    """A pipeline that has deployed a stack and waits for an approval; returns its bucket."""
    bucket = versioned_bucket(account)
    account.client("s3").put_object(Bucket=bucket, Key="template.zip", Body=zipped(template__json=MODEL_OF_NOTHING))
    stages = source(bucket), deploy("deployed", trusted_role(account, "cloudformation.amazonaws.com")), approval()
    account.client("codepipeline").create_pipeline(
        pipeline=declaration("pipeline", trusted_role(account, "codepipeline.amazonaws.com"), bucket, *stages)
    )
    wait_for(lambda: states(account)[2]["actionStates"][0].get("latestExecution"))
    return bucket


def states(account: Account) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = account.client("codepipeline").get_pipeline_state(name="pipeline")["stageStates"]
    return found


def test_a_killed_account_comes_back_and_says_what_was_cut_off(tmp_path: Path, start: Start) -> None:
    account = start("--data", str(tmp_path / "data"))
    bucket = make_pipeline(account)
    account.client("s3").put_object(Bucket=bucket, Key="template.zip", Body=b"second")
    time.sleep(1)
    account.process.send_signal(signal.SIGKILL)
    account.process.wait(10)

    account = start("--data", str(tmp_path / "data"))
    stack = account.client("cloudformation").describe_stacks(StackName="deployed")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    versions = account.client("s3").list_object_versions(Bucket=bucket, Prefix="template.zip")["Versions"]
    assert len(versions) == 2
    assert account.client("s3").get_object(Bucket=bucket, Key="template.zip")["Body"].read() == b"second"
    execution = account.client("codepipeline").list_pipeline_executions(pipelineName="pipeline")[
        "pipelineExecutionSummaries"
    ][0]
    assert execution["status"] == "Failed"
    assert "was stopped" in execution["statusSummary"]
    waiting = states(account)[2]
    assert waiting["latestExecution"]["status"] == "Failed"
    assert "was stopped" in waiting["actionStates"][0]["latestExecution"]["errorDetails"]["message"]
    account.client("codepipeline").retry_stage_execution(
        pipelineName="pipeline",
        stageName="Approve",
        retryMode="FAILED_ACTIONS",
        pipelineExecutionId=execution["pipelineExecutionId"],
    )
    wait_for(lambda: states(account)[2]["latestExecution"]["status"] == "InProgress")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_and_saves(tmp_path: Path, start: Start, end: signal.Signals) -> None:
    account = start("--data", str(tmp_path))
    account.client("s3").create_bucket(Bucket="kept")
    began = time.monotonic()
    account.process.send_signal(end)
    assert account.process.wait(10) == 0
    assert time.monotonic() - began < 5
    account = start("--data", str(tmp_path))
    assert [one["Name"] for one in account.client("s3").list_buckets()["Buckets"]] == ["kept"]


def test_without_data_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    account = start_account()
    make_pipeline(account)
    assert stop_account(account) == 0
    assert os.listdir(tmp_path) == []


def test_what_a_killed_account_left_goes_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    running, killed = start_account(), start_account()
    killed.process.kill()
    killed.process.wait(10)
    assert len(os.listdir(tmp_path)) == 2
    assert stop_account(start_account()) == 0
    assert len(os.listdir(tmp_path)) == 1, "the directory of the account that still runs, and only that"
    assert stop_account(running) == 0


def refused(directory: Path) -> str:
    """What is said where the account cannot use a directory."""
    done = subprocess.run(
        [sys.executable, "-m", "mlops.local", "--port", "0", "--data", str(directory)],
        text=True,
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(directory) in done.stderr
    return done.stderr


def test_a_directory_is_one_accounts(tmp_path: Path, start: Start) -> None:
    first = start("--data", str(tmp_path))
    assert "another account is already running" in refused(tmp_path)
    assert first.client("s3").list_buckets()["Buckets"] == []
    first.process.kill()
    first.process.wait(10)
    start("--data", str(tmp_path))


def test_a_directory_that_cannot_be_used_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is not a directory" in refused(tmp_path / "file")
    assert "cannot keep" in refused(tmp_path / "file" / "below")
    assert "cannot keep" in refused(Path("/proc/x"))


def test_a_taken_port_is_said_plainly(account: Account) -> None:
    port = account.endpoint.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-m", "mlops.local", "--port", port],
        capture_output=True,
        text=True,
        check=False,
        cwd=tempfile.gettempdir(),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert port in done.stderr
