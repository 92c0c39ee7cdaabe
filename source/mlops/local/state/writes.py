# SPDX-License-Identifier: Apache-2.0
"""What a request may change, by its protocol; and how one is refused whose change cannot be kept.

Taken for a change what is not one costs a moment; the other way round an answer could be forgotten by a kill. So a
request only reads if its protocol says so: a GET, or an operation called Describe, List, Get and the like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qs

_READS = re.compile(
    r"(Describe|List|Get|BatchGet|Search|Query|Scan|Lookup|Simulate|Validate|Estimate|Head)(?![a-z])"
    r"|AssumeRole|Filter"
)
_MODEL_RUNS = re.compile(r"/endpoints/[^/]+/(async-)?invocations(-response-stream)?$")
_CODE_RUNS = re.compile(r"/functions/[^/]+/(invocations|invoke-async)$|^/_aws/execute-api/|^/_aws/lambda-url/")
_CODE_HOSTS = re.compile(r"\.(execute-api|lambda-url)\.")
_START = 4096  # bytes of a form in which its Action is looked for


class Effect(Enum):
    NONE = auto()
    RUNS = auto()  # an object, which is a file before it is answered; or code, which changes things by its own requests
    CHANGES = auto()


class Request:
    """One HTTP request: what it may change shows once its body was read."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self._method: str = scope["method"]
        self._path: str = scope["path"]
        self._query = parse_qs(scope["query_string"].decode("latin-1"))
        self._headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self._start = b""

    def read_by(self, receive: Any) -> Any:
        """`receive`, which keeps the start of a form."""
        if not self._is_form():
            return receive

        async def receive_and_keep() -> Any:
            message = await receive()
            if len(self._start) < _START:
                self._start += message.get("body", b"")[:_START]
            return message

        return receive_and_keep

    def effect(self) -> Effect:
        if _MODEL_RUNS.search(self._path):
            return Effect.NONE
        if _CODE_RUNS.search(self._path) or _CODE_HOSTS.search(self._headers.get("host", "")):
            return Effect.RUNS
        operation = self._operation()
        if self._is_s3() and "/" in self._path.strip("/") and self._method not in ("GET", "HEAD"):
            return Effect.RUNS
        if operation is None:
            return Effect.NONE if self._method in ("GET", "HEAD", "OPTIONS") else Effect.CHANGES
        return Effect.NONE if _READS.match(operation) else Effect.CHANGES

    def refused(self, reason: str) -> Iterator[dict[str, Any]]:
        """A 503 in the protocol of the request."""
        message = f"The account cannot write its state: {reason}."
        if self._is_s3():
            kind = "application/xml"
            body = f"<Error><Code>ServiceUnavailable</Code><Message>{message}</Message></Error>"
        elif self._is_form() or "Action" in self._query:
            kind = "text/xml"
            body = (
                "<ErrorResponse><Error><Type>Receiver</Type><Code>ServiceUnavailable</Code>"
                f"<Message>{message}</Message></Error></ErrorResponse>"
            )
        else:
            kind, body = "application/json", json.dumps({"__type": "ServiceUnavailable", "message": message})
        content = body.encode()
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode())]
        yield {"type": "http.response.start", "status": 503, "headers": headers}
        yield {"type": "http.response.body", "body": content}

    def _is_s3(self) -> bool:
        return "/s3/aws4_request" in self._headers.get("authorization", "")

    def _is_form(self) -> bool:
        return self._headers.get("content-type", "").startswith("application/x-www-form-urlencoded")

    def _operation(self) -> str | None:
        """The operation that a JSON or query protocol names; None where method and path say what is asked."""
        if target := self._headers.get("x-amz-target"):
            return target.rpartition(".")[2]
        named = self._query.get("Action") or parse_qs(self._start.decode("latin-1")).get("Action")
        return named[0] if named else None
