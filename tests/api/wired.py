# SPDX-License-Identifier: Apache-2.0
"""The packaged orchestrator on a line to the account that records its calls, and can make them fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.bench import wire
from tools.bench.orchestrator import OURS, event, reading, start, through
from tools.bench.recorder import forward, operation
from tools.bench.runtime import Function, Package

from tests.support.installed import Installed

ATTEMPTS = 2  # that the orchestrator makes of each call


@dataclass
class Line:
    """The line to the account, which can be made to fail an operation's next calls."""

    address: str = ""
    calls: set[str] = field(default_factory=set)
    fails: dict[str, str] = field(default_factory=dict)
    left: int = 0

    def fault(self, call: str) -> str:
        self.calls.add(call)
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
            match opened.fault(operation(self.command, target, body, self.path)):
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

    def status(self, pipeline_id: str) -> Any:
        answer = self.function.invoke(event({"pipeline_id": pipeline_id}, "pipelinestatus"))
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])["pipeline"]

    def runs(self, name: str) -> Any:
        answer = self.function.invoke(reading("pipelines/{name}/runs", name))
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])["runs"]

    def ask(self, resource: str, name: str | None = None, method: str = "GET", **query: str) -> tuple[int, Any]:
        """The status and the body of an answer to a request without a body."""
        answer = self.function.invoke(reading(resource, name, method, **query))
        return answer["statusCode"], json.loads(answer["body"])

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


@contextmanager
def wired_to(api: Installed, built: Path, folder: Path) -> Iterator[Wired]:
    """The orchestrator that is installed, run here, with its calls going over a line of ours."""
    functions = api.client("lambda").list_functions()["Functions"]
    (environment,) = [
        one["Environment"]["Variables"]
        for one in functions
        if "PIPELINE_STACK_NAME" in one.get("Environment", {}).get("Variables", {})
    ]
    keys = api.session.get_credentials().get_frozen_credentials()
    credentials = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    package = Package.unzipped(built / "regional-s3-assets" / "orchestrator.zip", folder / "function")
    account = api.endpoint.removeprefix("http://")
    with (
        line(account) as opened,
        start(package, OURS, account, {**environment, **credentials, **through(opened.address)}) as function,
    ):
        yield Wired(api, opened, function)
