# SPDX-License-Identifier: Apache-2.0
"""What the laptop account does not let in, by a request's headers alone, and what it does not let out.

A page in a browser can send requests to this machine, under any name that resolves to 127.0.0.1. So a request is
refused that names another host, that comes from a page which is not the account's own, or that asks for a cross-origin
permission; and no answer grants one. ministack's own controls (reset, config, code downloads) are not AWS's, so nothing
outside needs them. Who a request is signed by is checked later, where its body is known: ministack/signatures.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from mlops.local.process import page

_CONTROLS = ("/_ministack", "/_localstack")
# CloudFormation's custom resources answer there, by an address that only they were told.
_ANSWERS = ("/_ministack/cfn-response/", "/_ministack/cfn-signal/")
_APIS = ("/_aws/execute-api/", "/restapis/")
_SIGNED_QUERIES = {"X-Amz-Signature", "Signature"}
_OWN_PAGES = {"same-origin", "none"}  # none: typed by the user, or a bookmark
# <bucket>.localhost, <bucket>.s3.localhost, <api>.execute-api.localhost: always this machine, in every browser
_OWN_NAMES = r"(?:127\.0\.0\.1|\[::1\]|(?:[a-z0-9][a-z0-9_.-]*\.)?localhost)"

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Answer:
    """What is sent instead of letting a request in."""

    status: int
    body: bytes
    content_type: str = "application/xml"
    headers: tuple[Header, ...] = field(default=())


def answer(scope: dict[str, Any], port: int) -> Answer | None:
    """The answer to a request that is not let in; None for one that is."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    if refused := _refused_by_origin(headers, port):
        return refused
    path, method = scope["path"], scope["method"]
    if method == "OPTIONS":
        return Answer(403, _error("AccessForbidden", "Cross-origin requests are not allowed."))
    if path.startswith(_CONTROLS) and not path.startswith(_ANSWERS):
        return Answer(404, _error("NotFound", "Not found."))
    of_api = path.startswith((*_CONTROLS, *_APIS)) or ".execute-api." in headers["host"][0].lower()
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    if of_api or "authorization" in headers or _SIGNED_QUERIES & set(query):
        return None
    if path == "/" and method in ("GET", "HEAD") and "text/html" in ",".join(headers.get("accept", ())):
        return Answer(200, page.HTML.encode(), "text/html; charset=utf-8", page.HEADERS)
    # Every other service refuses by itself, in its own words.
    of_s3 = "x-amz-target" not in headers and not headers.get("content-type", [""])[0].startswith(
        "application/x-www-form"
    )
    return Answer(403, _error("AccessDenied", "Access Denied")) if of_s3 and method != "POST" else None


def _refused_by_origin(headers: dict[str, list[str]], port: int) -> Answer | None:
    """A request under another name than this machine's, or from a page of another origin."""
    own_port = rf"(?::{port})?" if port == 80 else f":{port}"
    hosts = headers.get("host", [])
    if len(hosts) != 1 or not re.fullmatch(_OWN_NAMES + own_port, hosts[0].lower()):
        return Answer(
            403,
            _error(
                "AccessDenied",
                f"The Host header must be 127.0.0.1:{port} or localhost:{port}.",
            ),
        )
    origins, sites = headers.get("origin", []), headers.get("sec-fetch-site", [])
    own = {f"http://{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    if set(origins) <= own and set(sites) <= _OWN_PAGES:
        return None
    return Answer(403, _error("AccessDenied", "Requests from web pages are not allowed."))


def let_out(headers: Iterable[Header]) -> list[Header]:
    """An answer's headers without those that let a page of another origin read it."""
    return [(name, value) for name, value in headers if not name.lower().startswith(b"access-control-")]


def _error(code: str, message: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
