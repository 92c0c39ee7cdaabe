# SPDX-License-Identifier: Apache-2.0
"""The inference API's function, with an endpoint that answers as it is told to."""

import base64
import importlib.util
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from chalicelib.errors import Code
from mlops.deploy.build import Sources


class Endpoint:
    """SageMaker's runtime, which answers everything alike and counts how often it is asked."""

    def __init__(self) -> None:
        self.forget()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.got = sent, self.headers["Content-Type"]
                endpoint.asked += 1
                said = json.dumps(endpoint.body).encode() if endpoint.bytes is None else endpoint.bytes
                self.send_response(endpoint.status)
                self.send_header("x-amzn-ErrorType", endpoint.body.get("Code", ""))
                self.send_header("Content-Type", endpoint.content_type)
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

    def forget(self) -> None:
        """Begin anew."""
        self.asked, self.status, self.body = 0, 200, dict[str, Any]()
        self.bytes: bytes | None = None  # what it answers instead of the body
        self.content_type = "application/json"
        self.got: tuple[bytes, str] = (b"", "")  # the last payload and its content type

    def answers(self, status: int, **body: Any) -> tuple[int, str]:
        """What a caller is told when the endpoint answers this."""
        self.status, self.body = status, body
        answer = self.ask('{"payload": "1,2", "content_type": "text/csv"}')
        return answer["statusCode"], answer["body"]

    def ask(self, body: str | None, **event: Any) -> dict[str, Any]:
        """The function's answer to a body."""
        event = {"body": body, "requestContext": {"requestId": "the-request"}, **event}
        answer: dict[str, Any] = self.function.handler(event, None)
        return answer


@pytest.fixture(scope="module")
def started() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patched.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{endpoint.server.server_port}")
        patched.setenv("ENDPOINT_NAME", "churn")
        yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


@pytest.fixture
def endpoint(started: Endpoint) -> Endpoint:
    started.forget()
    return started


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


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"score": 0.5}', "application/json"),
        (b"0.5,0.25\r\n", "text/csv; charset=utf-8"),
        ("größe 模型".encode(), "text/plain; charset=iso-8859-1"),
        (b"\xef\xbb\xbf1", "text/csv"),
        (b"", "application/x-empty"),
    ],
)
def test_an_answer_is_passed_on_as_it_is(endpoint: Endpoint, body: bytes, content_type: str) -> None:
    endpoint.bytes, endpoint.content_type = body, content_type
    answer = endpoint.ask('{"payload": "1", "content_type": "text/csv"}')
    assert (answer["statusCode"], answer["body"].encode("utf-8")) == (200, body)
    assert answer["headers"] == {"Content-Type": content_type}


DEEPEST = json.loads("[" * 100 + "]" * 100)


@pytest.mark.parametrize(
    ("sent", "payload", "content_type"),
    [
        ({"payload": "1,2\n3,4", "content_type": "text/csv"}, b"1,2\n3,4", "text/csv"),
        ({"payload": {"a": [1, 0.5, None]}, "content_type": "json"}, b'{"a": [1, 0.5, null]}', "json"),
        ({"payload": DEEPEST, "content_type": "json"}, json.dumps(DEEPEST).encode(), "json"),
        ({"payload": 0, "content_type": "application/json"}, b"0", "application/json"),
        ({"payload": "größe 模型 😀", "content_type": "text/a; b=c"}, "größe 模型 😀".encode(), "text/a; b=c"),
        ({"payload": "a\ufffdb", "content_type": "text/plain"}, b"a\xef\xbf\xbdb", "text/plain"),
        ({"payload": ["größe"], "content_type": "application/json"}, '["größe"]'.encode(), "application/json"),
        ({"payload": "x" * (6 * 1024 * 1024 - 100), "content_type": "a"}, b"x" * (6 * 1024 * 1024 - 100), "a"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
@pytest.mark.parametrize("encoded", [False, True])
def test_a_payload_reaches_the_endpoint_as_it_is(
    endpoint: Endpoint, sent: dict[str, Any], payload: bytes, content_type: str, encoded: bool
) -> None:
    text = json.dumps(sent)
    body = base64.b64encode(text.encode()).decode() if encoded else text
    assert endpoint.ask(body, isBase64Encoded=encoded)["statusCode"] == 200
    assert endpoint.got == (payload, content_type)


def _body(payload: str = '"1"', content_type: str = '"text/csv"') -> str:
    return f'{{"payload": {payload}, "content_type": {content_type}}}'


@pytest.mark.parametrize(
    ("body", "status", "path", "code"),
    [
        (None, 400, "", "invalid_json"),
        ("", 400, "", "invalid_json"),
        ("{", 400, "", "invalid_json"),
        ("[]", 400, "", "wrong_type"),
        ("[" * 100_000, 400, "", "too_deep"),
        (_body("[" * 101 + "]" * 101), 400, "", "too_deep"),
        (_body("[" * 3000 + "]" * 3000), 400, "", "too_deep"),
        (_body('{"a":' * 150 + "1" + "}" * 150), 400, "", "too_deep"),
        (_body("NaN"), 400, "", "invalid_json"),
        (_body("[1, -Infinity]"), 400, "", "invalid_json"),
        (_body("1e400"), 400, "", "too_large"),
        (_body("9" * 5000), 400, "", "too_large"),
        (_body('"gr\ufffd\ufffde"'), 400, "", "invalid_json"),
        (_body("null"), 400, "/payload", "missing"),
        (_body('"\\ud800"'), 400, "/payload", "invalid_json"),
        (_body('{"\\udc00": 1}'), 400, "/payload", "invalid_json"),
        (_body(content_type="7"), 400, "/content_type", "wrong_type"),
        (_body(content_type='""'), 400, "/content_type", "missing"),
        (_body(content_type='"text/csv\\r\\nX-Evil: 1"'), 400, "/content_type", "wrong_format"),
        (_body(content_type='"text/csv\\n"'), 400, "/content_type", "wrong_format"),
        (_body(content_type='"text/\\u0000csv"'), 400, "/content_type", "wrong_format"),
        (_body(content_type='"text/größe"'), 400, "/content_type", "wrong_format"),
        (_body(content_type='"\\ud800"'), 400, "/content_type", "wrong_format"),
        (_body(content_type='" "'), 400, "/content_type", "wrong_format"),
        (_body(content_type=f'"{"x" * 1025}"'), 400, "/content_type", "wrong_format"),
        (_body(json.dumps("x" * (6 * 1024 * 1024 + 1))), 413, "/payload", "too_long"),
        (_body(json.dumps("é" * (3 * 1024 * 1024 + 1), ensure_ascii=False)), 413, "/payload", "too_long"),
        (_body(json.dumps("x" * (7 * 1024 * 1024))), 413, "", "too_long"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_no_endpoint_takes_is_refused_in_the_one_shape(
    endpoint: Endpoint, body: str | None, status: int, path: str, code: str
) -> None:
    answer = endpoint.ask(body)
    assert (answer["statusCode"], endpoint.asked) == (status, 0)
    assert answer["headers"] == {"Content-Type": "application/json"}
    told = json.loads(answer["body"])
    assert set(told) == {"message", "errors", "request_id"}
    assert [(one["path"], one["code"]) for one in told["errors"]] == [(path, code)]
    assert Code[code.upper()], "a code of the orchestrator's API"
    assert len(answer["body"]) < 500


@pytest.mark.parametrize("body", ["not base64 \u00e9", "####", "/w=="])
def test_a_body_whose_encoding_is_wrong_is_refused(endpoint: Endpoint, body: str) -> None:
    assert endpoint.ask(body, isBase64Encoded=True)["statusCode"] == 400


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"\x89PNG\r\n", 502, "not UTF-8 text"),
        (b"x" * (6 * 1024 * 1024 + 1), 413, "fewer rows"),
        (b"\xff" * (6 * 1024 * 1024 + 1), 413, "fewer rows"),
        (b'"' * (4 * 1024 * 1024), 413, "fewer rows"),  # 8 MiB once it is JSON
    ],
    ids=["binary", "too long", "too long and binary", "too long as JSON"],
)
def test_an_answer_that_cannot_be_passed_on_is_an_error_and_never_mangled(
    endpoint: Endpoint, body: bytes, status: int, said: str
) -> None:
    endpoint.bytes = body
    answer = endpoint.ask(_body())
    assert answer["statusCode"] == status
    assert said in json.loads(answer["body"])["message"]


def test_the_longest_answer_fits_what_lambda_takes(endpoint: Endpoint) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB, in fact 6,291,556 bytes."""
    endpoint.bytes = b"x" * (endpoint.function.MAX_BYTES - endpoint.function.RESPONSE_OVERHEAD - 2)
    answer = endpoint.ask(_body())
    assert answer["statusCode"] == 200
    assert len(json.dumps(answer)) <= 6_291_556


SECRET = "patient-4711-Zimmermann"


@pytest.mark.parametrize(
    "fault",
    [
        {"Code": "ModelError", "OriginalStatusCode": 415, "OriginalMessage": f"could not {SECRET!r}: {SECRET[:15]}…"},
        {"Code": "ModelError", "OriginalStatusCode": 400, "OriginalMessage": f"{SECRET} " * 1000},
        {"Code": "ModelError", "OriginalStatusCode": 500, "OriginalMessage": SECRET},
        {"Code": "ValidationError", "message": f"Value '{SECRET},1' at 'body' failed to satisfy constraint"},
        {"Code": "InternalFailure", "message": SECRET},
    ],
    ids=lambda fault: f"{fault['Code']} {fault.get('OriginalStatusCode', '')}",
)  # fmt: skip
def test_neither_answer_nor_log_repeats_a_payload_or_a_model(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    endpoint.status, endpoint.body = 400, fault
    with caplog.at_level("DEBUG", "root"):
        answer = endpoint.ask(_body(json.dumps(f"{SECRET},1.25")))
    assert answer["statusCode"] in (400, 503)
    for part in ("4711", "Zimmermann"):
        assert part not in answer["body"]
    assert len(answer["body"]) < 1000
    ours = [record for record in caplog.records if record.name == "root"]
    assert len(ours) == 1
    assert "the-request" in ours[0].getMessage()
    assert fault["Code"] in ours[0].getMessage()
    assert "Zimmermann" not in ours[0].getMessage()
    assert "could not" not in ours[0].getMessage()


def test_a_caller_is_told_what_the_model_said(endpoint: Endpoint) -> None:
    fault = {"Code": "ModelError", "OriginalStatusCode": 400, "OriginalMessage": "Feature shape mismatch, expected: 30"}
    status, body = endpoint.answers(424, **fault)
    assert status == 400
    assert "The model rejected the payload: Feature shape mismatch, expected: 30" in body
