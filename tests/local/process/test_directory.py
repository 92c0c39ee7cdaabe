# SPDX-License-Identifier: Apache-2.0
"""Where an account keeps what it has: a folder of its own in --data, its key, and the file that says it runs."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from mlops.local.process import running

from tests.support.laptop import Account, stop_account
from tests.support.waiting import wait_for

Start = Callable[..., Account]


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of this test's own for the files of running accounts."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "mlops"


def refused(*arguments: str) -> str:
    """The one line of an account that does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "mlops.local", "--port", "0", *arguments], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    return line


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_the_users_own_files_stay(tmp_path: Path) -> None:
    for name in ("tmp", "python"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("mine")
    assert "is not empty and contains no account's state" in refused("--data", str(tmp_path))
    assert {(tmp_path / name / "mine").read_text() for name in ("tmp", "python")} == {"mine"}
    assert sorted(os.listdir(tmp_path)) == ["python", "tmp"]


def test_what_a_user_puts_beside_an_account_stays(tmp_path: Path, start: Start) -> None:
    assert stop_account(start("--data", str(tmp_path))) == 0
    for name in ("tmp", "python"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("mine")
    assert stop_account(start("--data", str(tmp_path))) == 0
    assert {(tmp_path / name / "mine").read_text() for name in ("tmp", "python")} == {"mine"}


def test_an_account_of_an_earlier_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "account.lock").touch()
    (tmp_path / "services").mkdir()
    assert "use another --data directory, or delete it" in refused("--data", str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["account.lock", "services"]


def test_nobody_else_can_read_what_is_kept(tmp_path: Path, start: Start) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    account = start("--data", str(data))
    account.client("s3").create_bucket(Bucket="private")
    account.client("s3").put_object(Bucket="private", Key="a/secret", Body=b"x")
    wait_for(lambda: list((data / "account" / "s3").rglob("secret*")))
    assert stop_account(account) == 0
    paths = [data, *data.rglob("*")]
    ours = [path for path in paths if not path.is_symlink() and not path.is_relative_to(data / "account" / "python")]
    assert len(ours) > 5
    assert [path for path in ours if mode(path) & 0o077] == []
    assert mode(data) == 0o700


def test_each_account_has_a_key_of_its_own_that_survives_a_restart(tmp_path: Path, start: Start) -> None:
    first = start("--data", str(tmp_path / "one"))
    key = first.session.get_credentials().secret_key
    assert stop_account(first) == 0
    again, other = start("--data", str(tmp_path / "one")), start()
    assert again.session.get_credentials().secret_key == key
    assert other.session.get_credentials().secret_key != key
    assert len(key) == 40
    assert mode(tmp_path / "one" / "account" / "secret-access-key") == 0o600


def test_a_damaged_key_is_told(tmp_path: Path, start: Start) -> None:
    assert stop_account(start("--data", str(tmp_path))) == 0
    (tmp_path / "account" / "secret-access-key").write_text("")
    assert "delete the file to generate a new key" in refused("--data", str(tmp_path))


def test_a_running_account_says_where_it_is(runtime: Path, start: Start, tmp_path: Path) -> None:
    kept, passing = start("--data", str(tmp_path / "data")), start()
    assert {one.endpoint for one in running.accounts()} == {kept.endpoint, passing.endpoint}
    [found] = [one for one in running.accounts() if one.endpoint == kept.endpoint]
    assert (found.pid, found.data) == (kept.process.pid, str(tmp_path / "data"))
    session = boto3.Session(found.access_key_id, found.secret_access_key, region_name=found.region)
    assert session.client("sts", endpoint_url=found.endpoint).get_caller_identity()["Account"] == found.account_id
    assert [mode(runtime), *{mode(path) for path in runtime.iterdir()}] == [0o700, 0o600]
    assert stop_account(kept) == 0
    passing.process.send_signal(signal.SIGKILL)
    passing.process.wait(10)
    assert len(list(runtime.iterdir())) == 1
    assert running.accounts() == []
    assert list(runtime.iterdir()) == []


def test_a_folder_open_to_others_is_not_believed(runtime: Path, start: Start) -> None:
    runtime.mkdir(mode=0o755)
    (runtime / "1-1.json").write_text(json.dumps({}))
    assert running.accounts() == []
    assert stop_account(start()) == 0
    assert [path.name for path in runtime.iterdir()] == ["1-1.json"]
