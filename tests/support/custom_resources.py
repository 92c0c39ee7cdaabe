# SPDX-License-Identifier: Apache-2.0
"""The functions of custom resources as Lambda runs them, CloudFormation that waits for their answers, and AWS's APIs
that answer what a test says."""

import importlib.util
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from mlops.deploy.build import Sources

FUNCTIONS = Sources().functions
Reply = tuple[int, dict[str, str], str]


class Context:
    """What Lambda gives a function."""

    def __init__(self, seconds_left: float) -> None:
        self._seconds = seconds_left

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1_000)


@contextmanager
def serving(reply: Callable[[str, str, dict[str, str], bytes], Reply]) -> Iterator[str]:
    """A server that answers `reply(method, path, headers, body)`; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, text = reply(self.command, self.path, dict(self.headers), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text.encode())

        do_GET = do_PUT = do_POST = do_HEAD = do_any

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class CloudFormation:
    """Sends events to a function, and gives the answer that it put where CloudFormation waits."""

    def __init__(self, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._function, self._monkeypatch = function, monkeypatch
        self._seconds_left = 16.0  # too little time to be patient

    def asks(self, request_type: str, seconds_left: float = 16, **properties: Any) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []

        def receive(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
            answers.append(json.loads(body))
            return 200, {}, ""

        with serving(receive) as url:
            event = {
                "RequestType": request_type,
                "ResponseURL": f"{url}/answer",
                "StackId": "stack-id",
                "RequestId": "request-id",
                "LogicalResourceId": "Resource",
                "ResourceProperties": properties,
            }
            if request_type != "Create":
                event["PhysicalResourceId"] = "as-it-was-made"
            self._handler()(event, Context(seconds_left))
        (answer,) = answers
        return answer

    def _handler(self) -> Callable[[dict[str, Any], Any], None]:
        self._monkeypatch.syspath_prepend(str(FUNCTIONS))
        found = importlib.util.spec_from_file_location(self._function, FUNCTIONS / f"{self._function}.py")
        assert found
        assert found.loader
        module = importlib.util.module_from_spec(found)
        self._monkeypatch.setitem(sys.modules, self._function, module)
        found.loader.exec_module(module)
        handler: Callable[[dict[str, Any], Any], None] = module.handler
        return handler


def use_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Have boto3 take this for AWS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def unguarded(resources: dict[str, Any]) -> set[str]:
    """The resources that the guard does not depend on, be it by name or by a reference."""
    guard = resources["PipelinesGuard"]
    referred = set(re.findall(r'"(?:Ref": "|Fn::GetAtt": \[")(\w+)"', json.dumps(guard["Properties"])))
    return resources.keys() - {"PipelinesGuard", *guard["DependsOn"], *referred}
