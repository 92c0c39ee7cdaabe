# SPDX-License-Identifier: Apache-2.0
"""The inference API: {"payload": <text or JSON>, "content_type": "text/csv"} -> the endpoint's response, unchanged.

Environment: ENDPOINT_NAME. Errors have the shape of the orchestrator's API (docs/api.md).
Payloads and model responses are not logged, and error messages do not repeat payloads (docs/decisions/0025).
"""

import base64
import functools
import json
import logging
import math
import os
import re
from typing import Any

# Lambda's limit for the payloads of a synchronous invocation, below those of API Gateway (10 MB) and SageMaker:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_BYTES = 6 * 1024 * 1024
RESPONSE_OVERHEAD = 4096  # bytes of a response besides its body
MAX_DEPTH = 100
CONTENT_TYPE = re.compile(
    r"[!-~]([ -~]{0,1022}[!-~])?"
)  # as InvokeEndpoint accepts it: ASCII, at most 1,024 characters
MAX_ERROR_LENGTH = 300  # characters of an error message from a model or SageMaker
EXAMPLE = 'send {"payload": …, "content_type": "text/csv"}'
# SageMaker uses the same error for an invalid request and for an endpoint that does not exist or is not in service.
ABSENT = re.compile(r"not (be )?found|not in ?service|does not exist", re.IGNORECASE)

log = logging.getLogger()
log.setLevel(logging.INFO)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, proxy response out."""
    from botocore.exceptions import BotoCoreError, ClientError

    request_id = (event.get("requestContext") or {}).get("requestId", "")
    payload = b""
    try:
        payload, content_type = read(event)
        found = runtime().invoke_endpoint(
            EndpointName=os.environ["ENDPOINT_NAME"], ContentType=content_type, Body=payload
        )
        return proxied(found["Body"].read(MAX_BYTES + 1), found.get("ContentType"))
    except Refused as refused:
        return error_response(refused.status, refused.message, request_id, refused.problems)
    except ClientError as error:
        response: dict[str, Any] = {**error.response}
        fault, sent = response.get("Error", {}), response.get("ResponseMetadata", {})
        status = response.get("OriginalStatusCode", sent.get("HTTPStatusCode"))
        log.warning("%s: %s, status %s, SageMaker's request %s", request_id, fault.get("Code"), status,
                    sent.get("RequestId"))  # fmt: skip
        said = fault.get("Message", "")
        # Only the model's own 4xx is returned to the caller.
        if fault.get("Code") == "ModelError" and 400 <= response.get("OriginalStatusCode", 500) < 500:
            said = redact(payload, response.get("OriginalMessage", said))
            return error_response(400, f"The model rejected the payload: {said}", request_id)
        if fault.get("Code") == "ValidationError" and not ABSENT.search(said):
            return error_response(400, f"SageMaker rejected the request: {redact(payload, said)}", request_id)
        if fault.get("Code") == "ValidationError":
            return error_response(503, "The endpoint is not in service.", request_id, retry_after=30)
        return error_response(503, "The endpoint returned an error; see its log.", request_id, retry_after=5)
    except BotoCoreError as error:
        log.warning("%s: %s", request_id, type(error).__name__)
        return error_response(503, "The endpoint could not be reached.", request_id, retry_after=5)


class Refused(Exception):
    """An error response: its status, its message and its problems."""

    def __init__(self, status: int, message: str, problems: list[dict[str, str]]) -> None:
        super().__init__(message)
        self.status, self.message, self.problems = status, message, problems


def wrong(path: str, code: str, problem: str, hint: str, status: int = 400) -> Refused:
    """One problem of the request; its code is one of chalicelib/errors.py."""
    problems = [{"path": path, "code": code, "problem": problem, "hint": hint}]
    return Refused(status, "Invalid inference request", problems)


def nested() -> Refused:
    """The body is nested too deeply for Python, or for a model."""
    return wrong("", "too_deep", f"the payload is nested more than {MAX_DEPTH} levels deep", "send a flatter payload")


def read(event: dict[str, Any]) -> tuple[bytes, str]:
    """The payload's bytes and their content type; raises Refused."""
    body = parsed(event)
    payload, content_type = body.get("payload"), body.get("content_type")
    if payload is None:
        raise wrong("/payload", "missing", "is required", "send the input of the model, as text or as JSON")
    if not isinstance(content_type, str) or not content_type:
        raise wrong(
            "/content_type",
            "wrong_type" if content_type else "missing",
            "must be a non-empty string",
            "send the payload's type, for example text/csv",
        )
    if not CONTENT_TYPE.fullmatch(content_type):
        hint = "send at most 1,024 ASCII characters without line breaks, for example text/csv"
        raise wrong("/content_type", "wrong_format", "is not a content type", hint)
    if deeper_than(MAX_DEPTH, payload):
        raise nested()
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise wrong(
            "/payload", "invalid_json", "contains a lone surrogate, which is not a character", "send Unicode text"
        ) from None
    if len(data) > MAX_BYTES:
        raise wrong("/payload", "too_long", f"has {len(data):,} bytes, more than {MAX_BYTES:,}", "send fewer rows", 413)
    return data, content_type


def parsed(event: dict[str, Any]) -> dict[str, Any]:
    """The body as an object; raises Refused."""
    text = event.get("body") or ""
    if len(text) > MAX_BYTES * (4 / 3 if event.get("isBase64Encoded") else 1) + RESPONSE_OVERHEAD:
        raise wrong("", "too_long", f"the body has more than {MAX_BYTES:,} bytes", "send fewer rows", 413)
    if "\ufffd" in text:  # API Gateway replaces bytes that are not valid UTF-8
        hint = "send the body as UTF-8; write a literal replacement character as \\ufffd"
        raise wrong("", "invalid_json", "contains a replacement character in place of invalid UTF-8", hint)
    try:
        if event.get("isBase64Encoded"):
            text = base64.b64decode(text, validate=True).decode("utf-8")
        body = json.loads(text, parse_constant=refuse_number, parse_float=finite, parse_int=integer)
    except RecursionError:
        raise nested() from None
    except ValueError:
        raise wrong("", "invalid_json", "the body is not JSON", EXAMPLE) from None
    if not isinstance(body, dict):
        raise wrong("", "wrong_type", "the body is not an object", EXAMPLE)
    return body


def refuse_number(text: str) -> float:
    """Python accepts NaN and Infinity, which are not JSON."""
    raise wrong("", "invalid_json", f"{text} is not JSON", "send finite numbers")


def finite(text: str) -> float:
    """A number; for example, 1e400 would become infinite."""
    number = float(text)
    if not math.isfinite(number):
        raise wrong("", "too_large", "a number in the body is too large for a double", "send finite numbers")
    return number


def integer(text: str) -> int:
    """An integer that is short enough for Python to convert."""
    if len(text) > 400:
        raise wrong("", "too_large", "a number in the body is too large for a double", "send smaller numbers")
    return int(text)


def deeper_than(most: int, value: Any) -> bool:
    """Whether lists and objects are nested more than this many levels."""
    level = [value]
    for _ in range(most):
        level = [
            item
            for node in level
            if isinstance(node, list | dict)
            for item in (node.values() if isinstance(node, dict) else node)
        ]
    return any(isinstance(item, list | dict) for item in level)


def proxied(body: bytes, content_type: str | None) -> dict[str, Any]:
    """The endpoint's response, with its bytes and content type unchanged; raises Refused if that is impossible."""
    itself = "call the endpoint directly (sagemaker-runtime, `mlops invoke`)"
    try:
        text = body[:MAX_BYTES].decode("utf-8")
    except UnicodeDecodeError:
        if len(body) <= MAX_BYTES:
            message = f"The endpoint's response is not UTF-8 text, which this API cannot return: {itself}."
            raise Refused(502, message, []) from None
        text = ""
    if (
        len(body) > MAX_BYTES
        or len(json.dumps(text, ensure_ascii=False).encode("utf-8")) + RESPONSE_OVERHEAD > MAX_BYTES
    ):
        message = f"The endpoint's response is longer than {MAX_BYTES:,} bytes: send fewer rows, or {itself}."
        raise Refused(413, message, [])
    usable = content_type if content_type and CONTENT_TYPE.fullmatch(content_type) else "text/plain; charset=utf-8"
    return proxy_response(200, text, usable)


def redact(payload: bytes, said: str) -> str:
    """An error message from a model or SageMaker, with the words that also occur in the payload removed."""
    asked = payload.decode("utf-8")
    cut = said if len(said) <= MAX_ERROR_LENGTH else f"{said[: MAX_ERROR_LENGTH - 1]}…"
    return re.sub(r"[\w.+-]{4,}", lambda word: "…" if word[0].strip(".") in asked else word[0], cut)


@functools.cache
def runtime() -> Any:
    """The client for endpoints. It times out before API Gateway does, after 29 seconds."""
    import boto3
    from botocore.config import Config

    once = Config(connect_timeout=3, read_timeout=25, retries={"total_max_attempts": 1})
    return boto3.client("sagemaker-runtime", config=once)


def proxy_response(status: int, body: str, content_type: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """A response in API Gateway's proxy format."""
    return {
        "statusCode": status,
        "isBase64Encoded": False,
        "headers": {"Content-Type": content_type, **(headers or {})},
        "body": body,
    }


def error_response(
    status: int,
    message: str,
    request_id: str,
    problems: list[dict[str, str]] | None = None,
    retry_after: int | None = None,
) -> dict[str, Any]:
    """An error response, in the shape that all errors have."""
    body = json.dumps({"message": message, "errors": problems or [], "request_id": request_id})
    return proxy_response(status, body, "application/json", {"Retry-After": str(retry_after)} if retry_after else None)
