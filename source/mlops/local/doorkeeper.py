# SPDX-License-Identifier: Apache-2.0
"""What the account on your laptop does not let in: ministack's own controls, and S3 calls that nobody signed.

A page in a browser can send requests to this machine. AWS signs what changes anything; ministack's controls (reset,
config, code downloads) are not AWS's, so nothing outside needs them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

_CONTROLS = ("/_ministack", "/_localstack")
# CloudFormation's custom resources answer there, by an address that only they were told.
_ANSWERS = ("/_ministack/cfn-response/", "/_ministack/cfn-signal/")
_APIS = ("/_aws/execute-api/", "/restapis/")
_SIGNED_QUERIES = {"X-Amz-Signature", "Signature"}


def refusal(scope: dict[str, Any]) -> tuple[int, bytes] | None:
    """The status and body of a request that is not let in; None for one that is."""
    path: str = scope["path"]
    if path.startswith(_CONTROLS) and not path.startswith(_ANSWERS):
        return 404, _error("NotFound", "There is nothing here.")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if path.startswith((*_CONTROLS, *_APIS)) or ".execute-api." in headers.get("host", ""):
        return None
    signed = "authorization" in headers or _SIGNED_QUERIES & set(
        parse_qs(scope.get("query_string", b"").decode("latin-1"))
    )
    # Every other service refuses by itself, in its own words.
    of_s3 = "x-amz-target" not in headers and not headers.get("content-type", "").startswith("application/x-www-form")
    if signed or not of_s3 or scope["method"] in ("OPTIONS", "POST"):
        return None
    return 403, _error("AccessDenied", "Access Denied")


def _error(code: str, message: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
