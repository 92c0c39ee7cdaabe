# SPDX-License-Identifier: Apache-2.0
"""`mlops local up` in environments not made for it: proxies, locales, other tools' variables, a shared checkout."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlops import process
from mlops.local.process.running import Running
from mlops.sample import dataset

from tests.support.commands import TRAINING, local_up, ready

ROOT = Path(__file__).parents[2]
NOBODY = "http://127.0.0.1:9"
PROXIES = {name: NOBODY for lower in ("http_proxy", "https_proxy", "all_proxy") for name in (lower, lower.upper())}
# a locale whose encoding is ASCII, and no UTF-8 mode by itself
NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
# read by ministack, by LocalStack or by boto3
OTHERS = {
    "SERVICES": "sqs",
    "AUTH": "false",
    "USE_SSL": "1",
    "DEBUG": "1",
    "LOG_LEVEL": "DEBUG",
    "PERSIST_STATE": "1",
    "PERSISTENCE": "1",
    "S3_PERSIST": "1",
    "STATE_DIR": "/proc/x",
    "S3_DATA_DIR": "/proc/x",
    "BIND_HOST": "0.0.0.0",
    "GATEWAY_PORT": "1",
    "GATEWAY_LISTEN": "0.0.0.0:1",
    "EDGE_PORT": "1",
    "MINISTACK_HOST": "elsewhere.example",
    "MINISTACK_REGION": "eu-west-1",
    "MINISTACK_ACCOUNT_ID": "999999999999",
    "MINISTACK_WORKER_THREADS": "x",
    "LAMBDA_EXECUTOR": "docker",
    "LAMBDA_STRICT": "1",
    "LAMBDA_ACCOUNT_CONCURRENCY": "1",
    "SFN_MOCK_CONFIG": "/x",
    "LAMBDA_WARM_TTL_SECONDS": "x",
    "PYTHONPATH": "/proc/x",
    "AWS_PROFILE": "nobody",
    "AWS_CONFIG_FILE": "/proc/x",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_CA_BUNDLE": "/proc/x",
    "AWS_USE_FIPS_ENDPOINT": "true",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose AWS configuration would lead elsewhere."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        "[default]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:9\n"
        "use_fips_endpoint = true\nca_bundle = /proc/x\n"
    )
    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = x\naws_secret_access_key = y\n")
    return tmp_path


def test_it_starts_and_works_in_an_environment_made_for_something_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = {**PROXIES, **NO_UTF8, "HOME": str(home)}
    up = ready(local_up(environment={**around, **OTHERS}))
    with socket.socket() as edge:
        assert edge.connect_ex(("127.0.0.1", 1)) != 0
    dataset.upload(up.client("s3"), up.ready["assets_bucket"])
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    named = json.dumps({**TRAINING, "model_name": "around"})
    done = up.mlops("provision", "-", "--watch", given=named)
    assert done.returncode == 0, done.stderr
    up.end()


def files() -> dict[str, int]:
    """What is in the checkout, and when it was written."""
    passing = {
        ".git",
        ".venv",
        ".venv-checkov",
        ".venv-sdk",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        "checked",  # where `make lint` builds, beside the tests
    }
    found = {}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in passing]
        found.update({str(path): path.stat().st_mtime_ns for path in (Path(folder, name) for name in names)})
    return found


@pytest.fixture
def at_once() -> Iterator[list[subprocess.Popen[str]]]:
    processes = [local_up() for _ in range(2)]
    yield processes
    for one in processes:
        one.kill()
        one.wait(20)


def test_some_start_at_once_from_one_checkout_and_write_nothing_into_it(
    built: Path, at_once: list[subprocess.Popen[str]]
) -> None:
    before = files()  # `built` has filled the cache of wheels
    accounts = [ready(one) for one in at_once]
    assert len({one.ready["aws_endpoint_url"] for one in accounts}) == len(at_once)
    for one in accounts:
        one.end()
    assert files() == before


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"HTTP_PROXY": ""}, None),
        ({"HTTP_PROXY": NOBODY}, "127.0.0.1,localhost,::1"),
        ({"https_proxy": NOBODY, "NO_PROXY": "corp.example, localhost"}, "corp.example,localhost,127.0.0.1,::1"),
        ({"ALL_PROXY": NOBODY, "no_proxy": "a", "NO_PROXY": "b"}, "a,127.0.0.1,localhost,::1"),
        ({"HTTP_PROXY": NOBODY, "no_proxy": "::1,localhost,127.0.0.1"}, "::1,localhost,127.0.0.1"),
        ({"HTTP_PROXY": NOBODY, "no_proxy": "*"}, None),
    ],
)
def test_this_machine_needs_no_proxy(environment: dict[str, str], expected: str | None) -> None:
    assert process.no_proxy(environment) == ({"NO_PROXY": expected, "no_proxy": expected} if expected else {})


def test_the_lines_to_export_name_this_machine_where_there_is_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Running(1, 2, "http://127.0.0.1:2", "r", "a", "k", "s", None, "2026-01-01T00:00:00+00:00")
    for name in (*PROXIES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert "NO_PROXY" not in one.environment
    monkeypatch.setenv("HTTP_PROXY", NOBODY)
    assert one.environment["NO_PROXY"] == "127.0.0.1,localhost,::1"
