# SPDX-License-Identifier: Apache-2.0
"""What an account with --data has answered it has kept, an instant kill included; idle, it writes nothing."""

import io
import json
import os
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.laptop import Account
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

resource = pytest.importorskip("resource", reason="limits of processes are POSIX's")
Start = Callable[..., Account]
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
TOPIC = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})


def function(account: Account) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): return 1")
    account.client("lambda").create_function(
        FunctionName="kept",
        Runtime="python3.12",
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
        Role=trusted_role(account, "lambda.amazonaws.com"),
    )


# of each protocol one: what is done, and what only succeeds if it was kept
KINDS: dict[str, tuple[Callable[[Account], Any], Callable[[Account], Any]]] = {
    "s3 bucket": (
        lambda account: account.client("s3").create_bucket(Bucket="kept"),
        lambda account: account.client("s3").head_bucket(Bucket="kept"),
    ),
    "query": (
        lambda account: account.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument=TRUST),
        lambda account: account.client("iam").get_role(RoleName="kept"),
    ),
    "stack": (
        lambda account: account.client("cloudformation").create_stack(StackName="kept", TemplateBody=TOPIC),
        lambda account: account.client("cloudformation").describe_stacks(StackName="kept"),
    ),
    "json": (
        lambda account: account.client("logs").create_log_group(logGroupName="kept"),
        lambda account: account.client("logs").describe_log_groups(logGroupNamePrefix="kept")["logGroups"][0],
    ),
    "ours": (
        lambda account: account.client("sagemaker").create_model_package_group(ModelPackageGroupName="kept"),
        lambda account: account.client("sagemaker").describe_model_package_group(ModelPackageGroupName="kept"),
    ),
    "rest": (function, lambda account: account.client("lambda").invoke(FunctionName="kept")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_answered_survives_a_kill_at_once(tmp_path: Path, start: Start, kind: str) -> None:
    do, find = KINDS[kind]
    account = start("--data", str(tmp_path))
    do(account)
    account.process.kill()
    account.process.wait(10)
    assert find(start("--data", str(tmp_path)))


def test_an_object_and_its_versions_survive_a_kill_at_once(tmp_path: Path, start: Start) -> None:
    account = start("--data", str(tmp_path))
    s3 = account.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="kept", Key="a", Body=b"1")["VersionId"]
    s3.put_object(Bucket="kept", Key="a", Body=b"2")
    account.process.kill()
    account.process.wait(10)
    s3 = start("--data", str(tmp_path)).client("s3")
    assert s3.get_object(Bucket="kept", Key="a")["Body"].read() == b"2"
    assert s3.get_object(Bucket="kept", Key="a", VersionId=first)["Body"].read() == b"1"


def files(directory: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in directory.rglob("*")}


def test_nothing_is_written_while_nothing_happens(tmp_path: Path, start: Start) -> None:
    account = start("--data", str(tmp_path))
    account.client("cloudformation").create_stack(StackName="kept", TemplateBody=TOPIC)
    account.client("cloudformation").get_waiter("stack_create_complete").wait(
        StackName="kept", WaiterConfig={"Delay": 1}
    )
    time.sleep(1.5)  # what the stack did is written within half a second, and looked at once more
    before = files(tmp_path)
    account.client("cloudformation").describe_stacks()
    account.client("iam").list_roles()
    time.sleep(1.5)
    assert files(tmp_path) == before


# --- no room -------------------------------------------------------------------------------------------------


def fill(account: Account, size: int) -> None:
    """No file of the account can grow beyond `size` from now on, as on a full disk."""
    resource.prlimit(account.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def impatient(account: Account, service: str) -> Any:
    return account.session.client(service, endpoint_url=account.endpoint, config=Config(retries={"max_attempts": 0}))


class Listened:
    """An account whose stderr is read."""

    def __init__(self, data: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        read, write = os.pipe()
        os.set_blocking(read, False)
        plain = subprocess.Popen
        with monkeypatch.context() as patched:
            patched.setattr(subprocess, "Popen", lambda *args, **options: plain(*args, **options, stderr=write))
            self.account = start("--data", str(data))
        os.close(write)
        self._said, self._pipe = "", read

    def said(self) -> str:
        with suppress(BlockingIOError):
            self._said += os.read(self._pipe, 100_000).decode()
        return self._said


def test_what_cannot_be_written_is_refused_and_said_once(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened = Listened(tmp_path / "data", start, monkeypatch)
    account = listened.account
    s3, logs = impatient(account, "s3"), impatient(account, "logs")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="before", Body=b"before")
    fill(account, 1)
    for number in range(3):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket="kept", Key=f"full-{number}", Body=bytes(1000))
        assert (
            refused.value.response["Error"]["Code"],
            refused.value.response["ResponseMetadata"]["HTTPStatusCode"],
        ) == ("ServiceUnavailable", 503)
    with pytest.raises(ClientError) as refused:
        logs.create_log_group(logGroupName="full")
    assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert s3.get_object(Bucket="kept", Key="before")["Body"].read() == b"before", "what only reads is answered"
    time.sleep(2)
    assert listened.said().count("cannot write") == 1

    fill(account, resource.RLIM_INFINITY)
    s3.put_object(Bucket="kept", Key="after", Body=b"after")
    wait_for(lambda: "changes are accepted" in listened.said())
    account.process.kill()
    account.process.wait(10)
    s3 = start("--data", str(tmp_path / "data")).client("s3")
    assert s3.get_object(Bucket="kept", Key="after")["Body"].read() == b"after"
    assert s3.get_object(Bucket="kept", Key="before")["Body"].read() == b"before"


@pytest.mark.parametrize(("room", "code"), [(False, 1), (True, 0)])
def test_the_exit_code_tells_whether_the_last_change_was_written(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, room: bool, code: int
) -> None:
    listened = Listened(tmp_path / "data", start, monkeypatch)
    account = listened.account
    fill(account, 1)
    with pytest.raises(ClientError):
        impatient(account, "logs").create_log_group(logGroupName="full")
    if room:
        fill(account, resource.RLIM_INFINITY)
    account.process.send_signal(signal.SIGTERM)
    assert account.process.wait(20) == code
    assert ("cannot write" in listened.said()) is True
    assert os.listdir(tmp_path / "data")
