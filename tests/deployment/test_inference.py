# SPDX-License-Identifier: Apache-2.0
"""The inference API's function, with an endpoint that answers as it is told to."""

import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from mlops.deploy.build import Sources


class Endpoint:
    """SageMaker's runtime, which answers everything alike and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.status, self.body = 0, 200, {}
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.asked += 1
                said = json.dumps(endpoint.body).encode()
                self.send_response(endpoint.status)
                self.send_header("x-amzn-ErrorType", endpoint.body.get("Code", ""))
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        found = importlib.util.spec_from_file_location("inference", Sources().functions / "inference.py")
        assert found
        assert found.loader
        self.function = importlib.util.module_from_spec(found)
        found.loader.exec_module(self.function)

    def answers(self, status: int, **body: Any) -> tuple[int, str]:
        """What a caller is told when the endpoint answers this."""
        self.status, self.body = status, body
        answer = self.function.handler({"body": '{"payload": "1,2", "content_type": "text/csv"}'}, None)
        return answer["statusCode"], answer["body"]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    endpoint = Endpoint()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{endpoint.server.server_port}")
    monkeypatch.setenv("ENDPOINT_NAME", "churn")
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


@pytest.mark.parametrize(
    ("code", "said", "status"),
    [
        ("ValidationError", "Endpoint churn of account 111122223333 not found.", 503),
        ("ValidationError", "1 validation error detected: Value at 'contentType' is too long", 400),
        ("ThrottlingException", "Rate exceeded", 503),
    ],
)
def test_what_is_the_callers_own_is_a_400(endpoint: Endpoint, code: str, said: str, status: int) -> None:
    told, body = endpoint.answers(400, Code=code, Message=said, message=said)
    assert told == status
    assert (said in body) == (status == 400)


def test_an_endpoint_that_fails_is_asked_once(endpoint: Endpoint) -> None:
    """A second attempt would outlast what API Gateway waits."""
    status, _ = endpoint.answers(500, Code="InternalFailure", message="no")
    assert (status, endpoint.asked) == (503, 1)
    timeouts = endpoint.function.runtime().meta.config
    assert timeouts.connect_timeout + timeouts.read_timeout < 29


def test_an_answer_is_passed_on_as_it_is(endpoint: Endpoint) -> None:
    assert endpoint.answers(200, score=0.5) == (200, '{"score": 0.5}')
