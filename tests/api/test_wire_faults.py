# SPDX-License-Identifier: Apache-2.0
"""AWS failing on the wire, between the packaged orchestrator and the account: told as 503, healed by one repeat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mlops.bench import wire
from mlops.bench.orchestrator import OURS, event, start
from mlops.bench.recorder import forward, operation
from mlops.bench.runtime import Function, Package

from tests.api.installed import Installed, build
from tests.api.test_first_light import LABELS, ROWS, csv, training

ATTEMPTS = 2  # that the orchestrator makes of each call
# Every kind in the deep run; in the short one the one that leaves most in doubt.
KINDS = [
    "answer lost",
    *(
        pytest.param(kind, marks=pytest.mark.slow)
        for kind in ("throttled", "server error", "unavailable", "request lost")
    ),
]
NEW = ["DescribeStacks", "PutObject", "CreateStack"]
CHANGED = ["DescribeStacks", "HeadObject", "ListPipelineExecutions", "PutObject", "StartPipelineExecution"]


@dataclass
class Line:
    """The line to the account, which can be made to fail an operation's next calls."""

    address: str = ""
    fails: dict[str, str] = field(default_factory=dict)
    left: int = 0

    def fault(self, call: str) -> str:
        if call not in self.fails or not self.left:
            return ""
        self.left -= 1
        return self.fails[call]


@contextmanager
def line(account: str) -> Iterator[Line]:
    opened = Line()

    class Passing(wire.Exchange):
        def do_POST(self) -> None:
            body = self.body()
            target = self.headers.get("X-Amz-Target")
            match opened.fault(operation(self.command, target, body)):
                case "throttled":
                    self.answer(*throttled(target))
                case "server error":
                    self.answer(500, b"", {})
                case "unavailable":
                    self.answer(503, b"", {})
                case "request lost":
                    self.close_connection = True
                case "answer lost":
                    forward(self, account, body)
                    self.close_connection = True
                case _:
                    self.answer(*forward(self, account, body))

        do_GET = do_HEAD = do_PUT = do_DELETE = do_POST

    with wire.serving(Passing) as address:
        opened.address = address
        yield opened


def throttled(target: str | None) -> tuple[int, bytes, dict[str, str]]:
    if target:
        return 400, b'{"__type": "ThrottlingException", "message": "Rate exceeded"}', {}
    words = b"<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
    return 400, words, {"Content-Type": "text/xml"}


@dataclass(frozen=True)
class Wired:
    api: Installed
    line: Line
    function: Function

    def provision(self, body: Any) -> tuple[int, dict[str, str], Any]:
        answer = self.function.invoke(event(body))
        headers = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        return answer["statusCode"], headers, json.loads(answer["body"])

    def failing(self, call: str, kind: str, body: Any) -> None:
        """One request whose calls of an operation fail, all its attempts."""
        self.line.fails, self.line.left = {call: kind}, ATTEMPTS
        status, headers, answer = self.provision(body)
        self.line.fails = {}
        assert status in (200, 409, 503), answer
        if status == 503:
            assert int(headers["retry-after"]) > 0
            assert set(answer) - {"detail"} == {"message", "errors", "request_id"}

    def healed(self, body: Any) -> Any:
        """The pipeline that one repeat of the request leads to."""
        status, _, answer = self.provision(body)
        assert status == 200, answer
        return self.api.ended(answer["pipeline_id"])


@pytest.fixture(scope="module")
def wired(api: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    functions = api.client("lambda").list_functions()["Functions"]
    (environment,) = [
        one["Environment"]["Variables"]
        for one in functions
        if "PIPELINE_STACK_NAME" in one.get("Environment", {}).get("Variables", {})
    ]
    keys = api.session.get_credentials().get_frozen_credentials()
    credentials = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    zipped: Path = build(tmp_path_factory.mktemp("build")) / "regional-s3-assets" / "orchestrator.zip"
    package = Package.unzipped(zipped, tmp_path_factory.mktemp("function"))
    account = api.endpoint.removeprefix("http://")
    with line(account) as opened, start(package, OURS, opened.address, {**environment, **credentials}) as function:
        api.put("wire/train.csv", csv(ROWS[:40], LABELS[:40]))
        yield Wired(api, opened, function)


def request(name: str, **changes: Any) -> dict[str, Any]:
    return training(name, training_data="wire/train.csv", validation_data="", **changes)


def jobs(api: Installed, name: str) -> list[str]:
    listed = api.client("sagemaker").list_training_jobs(NameContains=f"{name}-training")["TrainingJobSummaries"]
    return [one["TrainingJobName"] for one in listed]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", NEW)
def test_a_new_pipeline_heals(wired: Wired, call: str, kind: str) -> None:
    name = f"new-{call}-{kind}".replace(" ", "-").lower()
    wired.failing(call, kind, request(name))
    pipeline = wired.healed(request(name))
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    assert len(jobs(wired.api, name)) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CHANGED)
def test_a_changed_request_heals(wired: Wired, call: str, kind: str) -> None:
    name = f"changed-{call}-{kind}".replace(" ", "-").lower()
    assert wired.healed(request(name))["status"] == "Succeeded"
    changed = request(name, instance_count=2)
    wired.failing(call, kind, changed)
    pipeline = wired.healed(changed)
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    described = wired.api.client("sagemaker").describe_training_job(
        TrainingJobName=pipeline["outputs"]["TrainingJobName"]
    )
    assert described["ResourceConfig"]["InstanceCount"] == 2
    assert len(jobs(wired.api, name)) == 2
