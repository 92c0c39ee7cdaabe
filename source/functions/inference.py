# SPDX-License-Identifier: Apache-2.0
"""The inference API: {"payload": <text or JSON>, "content_type": "text/csv"} -> the endpoint's answer, as it is.

Environment: ENDPOINT_NAME. Errors are answered as {"message", "errors": [{"path", "problem", "hint"}], "request_id"}.
"""

import base64
import functools
import json
import logging
import os
import re
from typing import Any

# SageMaker has one error for a wrong request and for an endpoint that isn't there, or not yet.
ABSENT = re.compile(r"not (be )?found|not in ?service|does not exist", re.IGNORECASE)

log = logging.getLogger()
log.setLevel(logging.INFO)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy answer out."""
    from botocore.exceptions import BotoCoreError, ClientError

    request_id = event.get("requestContext", {}).get("requestId", "")
    try:
        payload, content_type = read(event)
    except Refused as refused:
        return refusal(400, "The inference request is not usable", request_id, [refused.problem])
    try:
        found = runtime().invoke_endpoint(
            EndpointName=os.environ["ENDPOINT_NAME"], ContentType=content_type, Body=payload
        )
        return answer(200, found["Body"].read().decode("utf-8", "replace"), "plain/text")
    except ClientError as error:
        log.warning("%s: %s", request_id, error)
        fault = error.response.get("Error", {})
        # The model's own 4xx is the caller's business; anything else is not.
        if fault.get("Code") == "ModelError" and 400 <= error.response.get("OriginalStatusCode", 500) < 500:
            said = error.response.get("OriginalMessage", fault.get("Message", ""))
            return refusal(400, f"The model refused the payload: {said}", request_id)
        if fault.get("Code") == "ValidationError":
            said = fault.get("Message", "")
            if ABSENT.search(said):
                return refusal(503, "The endpoint cannot answer now.", request_id, retry_after=30)
            return refusal(400, f"SageMaker refused the request: {said}", request_id)
        return refusal(503, "The endpoint failed at this request; its log says why.", request_id, retry_after=5)
    except BotoCoreError as error:
        log.warning("%s: %s", request_id, error)
        return refusal(503, "The endpoint could not be reached.", request_id, retry_after=5)


class Refused(Exception):
    """The body is not usable, and why."""

    def __init__(self, path: str, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = {"path": path, "problem": problem, "hint": hint}


def read(event: dict[str, Any]) -> tuple[bytes, str]:
    """The payload's bytes and their content type; raises Refused."""
    text = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            text = base64.b64decode(text).decode("utf-8")
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("", "the body is not JSON", 'send {"payload": …, "content_type": "text/csv"}') from None
    if not isinstance(body, dict):
        raise Refused("", "the body is not an object", 'send {"payload": …, "content_type": "text/csv"}')
    payload, content_type = body.get("payload"), body.get("content_type")
    if payload is None:
        raise Refused("/payload", "is missing", "what the model is asked, as text or as JSON")
    if not isinstance(content_type, str) or not content_type:
        raise Refused("/content_type", "is missing or no text", "the payload's type, for example text/csv")
    return (payload if isinstance(payload, str) else json.dumps(payload)).encode("utf-8"), content_type


@functools.cache
def runtime() -> Any:
    """The client that asks endpoints, once: API Gateway ends a request after 29 seconds, so this one does before."""
    import boto3
    from botocore.config import Config

    once = Config(connect_timeout=3, read_timeout=25, retries={"total_max_attempts": 1})
    return boto3.client("sagemaker-runtime", config=once)


def answer(status: int, body: str, content_type: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """An answer as API Gateway wants it."""
    return {
        "statusCode": status,
        "isBase64Encoded": False,
        "headers": {"Content-Type": content_type, **(headers or {})},
        "body": body,
    }


def refusal(
    status: int,
    message: str,
    request_id: str,
    problems: list[dict[str, str]] | None = None,
    retry_after: int | None = None,
) -> dict[str, Any]:
    """An error in the one shape errors have."""
    body = json.dumps({"message": message, "errors": problems or [], "request_id": request_id})
    return answer(status, body, "application/json", {"Retry-After": str(retry_after)} if retry_after else None)
