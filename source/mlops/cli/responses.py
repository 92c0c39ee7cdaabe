# SPDX-License-Identifier: Apache-2.0
"""What an API Gateway endpoint responded -> the API's document, or ApiError with a next step.

Not every response is the orchestrator's: API Gateway refuses callers, and a proxy may respond in its place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from mlops.cli.failures import LAPTOP, ApiError, Document

SUCCESS = (200, 202)
FORBIDDEN = 403
EXCERPT = 200


def document(status: int, headers: Mapping[str, str], text: str, url: str, action: str) -> Document:
    """The JSON object of a success. `action` is the ARN that a caller needs execute-api:Invoke for.

    Raises ApiError for anything else.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise not_the_api(status, text, url)
    if status not in SUCCESS:
        error = ApiError(status, found, headers.get("Retry-After"))
        if status == FORBIDDEN:
            error.hint = forbidden(error.message, action)
        raise error
    return found


def not_the_api(status: int, text: str, url: str) -> ApiError:
    excerpt = " ".join(text.split())
    shown = f": {excerpt[:EXCERPT]}{'…' if len(excerpt) > EXCERPT else ''}" if excerpt else ""
    error = ApiError(status, {"message": f"{url} responded with status {status} and no JSON object{shown}"})
    error.hint = "check --api-url, and that no proxy responds instead of the API (HTTPS_PROXY, NO_PROXY)"
    return error


def forbidden(message: str, action: str) -> str:
    """What to do about a 403 of API Gateway, by what it says."""
    text = message.lower()
    if "expired" in text:
        return "the credentials have expired: sign in again, for example: aws sso login"
    if "missing authentication token" in text:
        return "check --api-url: API Gateway knows no such route there"
    if any(word in text for word in ("signature", "security token", "credential should be scoped", "access key")):
        return f"check the credentials and --region, and that both belong to this API; {LAPTOP}"
    return f"the credentials need the permission execute-api:Invoke on {action}"
