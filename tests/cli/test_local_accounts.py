# SPDX-License-Identifier: Apache-2.0
"""`mlops local env, status, down, reset` and the accounts that run, found by the files that they keep."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.environments import without_aws, without_proxies

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a user who has no other account running."""
    (tmp_path / "run").mkdir()
    return without_proxies(without_aws()) | {"XDG_RUNTIME_DIR": str(tmp_path / "run")}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Starts accounts, without the orchestrator, and kills what is left of them."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "mlops.local", "--port", "0", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout
        with process.stdout as lines:  # there is one
            assert lines.readline()
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def mlops(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str | Path, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mlops.cli", *map(str, arguments)]
        return subprocess.run(
            command, input=given, capture_output=True, text=True, env={**environment, **more}, timeout=60
        )

    return run


Run = Callable[..., subprocess.CompletedProcess[str]]


def test_where_none_runs_each_command_says_so(mlops: Run) -> None:
    for command in ("env", "status", "down"):
        done = mlops("local", command)
        assert (done.returncode, done.stdout) == (1, "")
        assert "No laptop account is running" in done.stderr
        assert "mlops local up" in done.stderr
    assert json.loads(mlops("local", "status", "--json").stdout) == []


def test_env_points_another_shell_to_the_account(start: Start, mlops: Run) -> None:
    start()
    printed = mlops("local", "env").stdout
    script = f"{printed}\n{sys.executable} -m mlops.cli status nothing --json"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=without_aws(), timeout=60)
    # the credentials are the account's, which has no orchestrator
    assert "No stack mlops-orchestrator" in json.loads(done.stdout)["message"], done.stdout + done.stderr


def test_env_bypasses_a_proxy_and_keeps_what_is_bypassed_already(start: Start, mlops: Run) -> None:
    start()
    assert "NO_PROXY" not in mlops("local", "env").stdout
    printed = mlops("local", "env", HTTP_PROXY="http://proxy:1", NO_PROXY="intern,127.0.0.1").stdout
    assert "export NO_PROXY=intern,127.0.0.1,localhost,::1\n" in printed


def test_status_shows_each_account_and_no_key(start: Start, mlops: Run, tmp_path: Path) -> None:
    first, second = start(), start("--data", tmp_path / "state")
    found = json.loads(mlops("local", "status", "--json").stdout)
    assert {one["pid"] for one in found} == {first.pid, second.pid}
    assert {one["data"] for one in found} == {None, str(tmp_path / "state")}
    printed = mlops("local", "status")
    key = json.loads(mlops("local", "env", "--json", "--port", str(found[0]["port"])).stdout)["AWS_SECRET_ACCESS_KEY"]
    assert printed.returncode == 0
    assert key not in printed.stdout + json.dumps(found)
    for one in found:
        assert one["endpoint"] in printed.stdout
        assert str(one["pid"]) in printed.stdout


def test_of_several_accounts_one_is_chosen_by_its_port(start: Start, mlops: Run) -> None:
    first, second = start(), start()
    ports = {one["pid"]: str(one["port"]) for one in json.loads(mlops("local", "status", "--json").stdout)}
    for command in ("env", "down"):
        done = mlops("local", command)
        assert done.returncode == 1
        assert all(port in done.stderr for port in ports.values())
        assert "--port" in done.stderr
    assert f"127.0.0.1:{ports[second.pid]}" in mlops("local", "env", "--port", ports[second.pid]).stdout
    assert mlops("local", "down", "--port", ports[first.pid]).returncode == 0
    assert (first.wait(1), second.poll()) == (0, None)
    wrong = mlops("local", "down", "--port", ports[first.pid])
    assert f"No laptop account is running on port {ports[first.pid]}" in wrong.stderr
    assert ports[second.pid] in wrong.stderr


def test_down_waits_until_the_account_has_ended(start: Start, mlops: Run, tmp_path: Path) -> None:
    account = start("--data", tmp_path / "state")
    done = mlops("local", "down")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "state") in done.stdout
    assert account.wait(1) == 0
    assert mlops("local", "status").returncode == 1


def test_ctrl_c_while_down_waits_is_130(start: Start, environment: dict[str, str]) -> None:
    account = start()
    os.kill(account.pid, signal.SIGSTOP)  # it does not end
    command = [sys.executable, "-m", "mlops.cli", "local", "down"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr
        assert "Stopping" in process.stderr.readline()
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=20)
    os.kill(account.pid, signal.SIGCONT)
    assert process.returncode == 130
    assert "still stopping" in printed


def test_reset_removes_what_the_account_made_and_nothing_else(start: Start, mlops: Run, tmp_path: Path) -> None:
    data = tmp_path / "state"
    account = start("--data", data)
    (data / "notes.txt").write_text("mine")
    busy = mlops("local", "reset", "--data", data, "--yes")
    assert busy.returncode == 1
    assert "already running" in busy.stderr
    account.terminate()
    account.wait(20)

    declined = mlops("local", "reset", "--data", data, given="n\n")
    assert declined.returncode == 1
    assert (data / "account").is_dir()
    done = mlops("local", "reset", "--data", data, given="y\n")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in data.iterdir()] == ["notes.txt"]

    foreign = mlops("local", "reset", "--data", data, "--yes")
    assert foreign.returncode == 1
    assert (data / "notes.txt").read_text() == "mine"


def test_reset_removes_a_directory_that_nothing_else_lies_in(start: Start, mlops: Run, tmp_path: Path) -> None:
    account = start("--data", tmp_path / "state")
    account.terminate()
    account.wait(20)
    assert mlops("local", "reset", "--data", tmp_path / "state", "--yes").returncode == 0
    assert not (tmp_path / "state").exists()


def test_a_port_in_use_names_port_0_and_the_account_that_runs(start: Start, mlops: Run) -> None:
    start()
    [running] = json.loads(mlops("local", "status", "--json").stdout)
    done = mlops("local", "up", "--port", str(running["port"]))
    assert done.returncode == 1
    assert "--port 0" in done.stderr
    assert running["endpoint"] in done.stderr
