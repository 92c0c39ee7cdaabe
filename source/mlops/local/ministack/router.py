# SPDX-License-Identifier: Apache-2.0
"""Requests: which handler answers a service's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import ministack.app as _app
from ministack.core import concurrency as _concurrency
from ministack.core import router as _router

application = _app.app
Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Response]]


def serve(signing_name: str, handler: Handler) -> None:
    """Answer the requests signed for `signing_name` with `handler`."""
    _app.SERVICE_HANDLERS[signing_name] = handler
    # a name the router doesn't know makes it read every service model botocore has, for four seconds
    _router.SERVICE_PATTERNS.setdefault(signing_name, {})


def wrap_service(signing_name: str, wrapper: Callable[[Handler], Handler]) -> None:
    _app.SERVICE_HANDLERS[signing_name] = wrapper(_app.SERVICE_HANDLERS[signing_name])


@dataclass(frozen=True)
class Request:
    """A request over the wire; the names of its headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, Any]


def answer_first(signing_name: str, answer: Callable[[Request], Response | None]) -> None:
    """Let `answer` respond to a service's requests; None leaves one to the service."""

    def wrapper(handler: Handler) -> Handler:
        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
        ) -> Response:
            return answer(Request(method, path, headers, body, query)) or await handler(
                method, path, headers, body, query
            )

        return handle

    wrap_service(signing_name, wrapper)


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Run what may block in a thread of its own, with this request's context."""
    return await _concurrency.run_reentrant(function, *args)


def form(body: bytes, query: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a request in the query protocol."""
    return {name: values[0] for name, values in {**query, **parse_qs(body.decode())}.items()}
