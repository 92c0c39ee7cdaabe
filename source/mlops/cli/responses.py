# SPDX-License-Identifier: Apache-2.0
"""An HTTP response -> the API's document, or ApiError with a hint.

The response can also come from API Gateway, which rejects unauthorized callers, or from a proxy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from mlops.cli.failures import LAPTOP, ApiError, Document

SUCCESS = (200, 202)
FORBIDDEN = 403
EXCERPT = 200


def document(status: int, headers: Mapping[str, str], text: str, url: str, action: str) -> Document:
    """The JSON object of a success response. `action` is the ARN that requires execute-api:Invoke.

    Raises ApiError for any other response.
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
    error.hint = "check --api-url and the proxy settings (HTTPS_PROXY, NO_PROXY)"
    return error


def forbidden(message: str, action: str) -> str:
    """A hint for a 403 from API Gateway, by its message."""
    text = message.lower()
    if "expired" in text:
        return "the credentials have expired: sign in again, for example: aws sso login"
    if "missing authentication token" in text:
        return "check --api-url: API Gateway has no such route"
    if any(word in text for word in ("signature", "security token", "credential should be scoped", "access key")):
        return f"check that the credentials and --region match this API; {LAPTOP}"
    return f"the credentials require the permission execute-api:Invoke on {action}"
