# SPDX-License-Identifier: Apache-2.0
"""The check of an installation always answers CloudFormation, whatever happens."""

import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from mlops.deploy.build import Sources


class Waiting:
    """CloudFormation, waiting at a URL for one answer."""

    def __init__(self) -> None:
        answers: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.answers = answers
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def asks(self, request_type: str, **properties: str) -> dict[str, Any]:
        specification = importlib.util.spec_from_file_location(
            "check_install", Sources().functions / "check_install.py"
        )
        assert specification
        assert specification.loader
        function = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(function)
        event = {
            "RequestType": request_type,
            "ResponseURL": f"http://127.0.0.1:{self.server.server_port}/answer",
            "StackId": "stack-id",
            "RequestId": "request-id",
            "LogicalResourceId": "InstallCheck",
            "ResourceProperties": properties,
        }
        function.handler(event, None)
        (answer,) = self.answers
        return answer


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    waiting = Waiting()
    yield waiting
    waiting.server.shutdown()
    waiting.server.server_close()


GOOD = {
    "StackName": "mlops-orchestrator",
    "Region": "us-east-1",
    "Account": "123456789012",
    "ExistingS3Bucket": "",
    "ExistingECRRepo": "",
}


def test_nothing_existing_is_a_success(cloudformation: Waiting) -> None:
    answer = cloudformation.asks("Create", **GOOD)
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == "install-check"
    assert (answer["StackId"], answer["RequestId"]) == ("stack-id", "request-id")


def test_a_delete_succeeds_even_with_nothing_to_go_by(cloudformation: Waiting) -> None:
    assert cloudformation.asks("Delete")["Status"] == "SUCCESS"


def test_a_check_that_fails_itself_still_answers(cloudformation: Waiting) -> None:
    answer = cloudformation.asks("Create")
    assert answer["Status"] == "FAILED"
    assert "KeyError" in answer["Reason"]


@pytest.mark.parametrize(
    ("property_name", "reason"),
    [("ExistingS3Bucket", "cannot be reached"), ("ExistingECRRepo", "EndpointConnectionError")],
)
def test_an_unreachable_service_is_a_failure_with_a_reason(
    property_name: str, reason: str, cloudformation: Waiting
) -> None:
    answer = cloudformation.asks("Update", **{**GOOD, property_name: "mine"})
    assert answer["Status"] == "FAILED"
    assert reason in answer["Reason"]


def test_a_bucket_of_another_account_is_refused(cloudformation: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    """As S3 does it: a bucket whose owner is not the one expected is forbidden, even where its policy admits us."""

    class S3(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.headers["x-amz-expected-bucket-owner"] == "999999999999" else 403)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), S3)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    answer = cloudformation.asks("Create", **{**GOOD, "ExistingS3Bucket": "theirs"})
    server.shutdown()
    server.server_close()
    assert answer["Status"] == "FAILED"
    assert "belongs to another account" in answer["Reason"]
