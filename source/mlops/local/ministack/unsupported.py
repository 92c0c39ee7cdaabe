# SPDX-License-Identifier: Apache-2.0
"""What ministack lacks is said in one way: a service it doesn't have, and an operation of one it has."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import ministack.app as _app
from ministack.core import router as _router

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Response]]
Missing = Callable[[str, str, Mapping[str, str]], Response]

# How ministack says that it has no such operation.
_UNKNOWN = re.compile(
    rb"Unknown (?:[A-Za-z0-9]+ )*action: (?P<action>\w+)|Unknown (?:API Gateway v1 )?path: (?P<path>[^\"<]+)"
    rb"|The action (?P<query>\w+) is not valid for this endpoint\.?"
)


def answer_missing(serves: Callable[[str, str], bool], missing: Missing, words: Callable[[str, str], str]) -> None:
    """Answer what `serves(service, operation)` denies with `missing(service, operation, headers)`.

    `words(service, operation)` is the message of operations that one of ministack's services doesn't have.
    """

    class Services(dict[str, Handler]):
        """ministack's handlers by service; the router asks with `get`."""

        def get(self, service: str, default: object = None) -> Handler:
            handler = super().get(service)

            async def honest(
                method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
            ) -> Response:
                operation = _operation(method, path, headers, body, query)
                if handler is None or not serves(service, operation):
                    return missing(service, operation, headers)
                status, answered, content = await handler(method, path, headers, body, query)
                if 400 <= status < 500 and isinstance(content, bytes):
                    content = _UNKNOWN.sub(
                        lambda found: words(service, _named(found, method)).encode(), content, count=1
                    )
                return status, answered, content

            return honest

    _app.SERVICE_HANDLERS = Services(_app.SERVICE_HANDLERS)
    # ministack reads every service model botocore has, for four seconds, to tell whether a name is a service's
    _router._is_aws_service_name = lambda name: True


def _named(found: re.Match[bytes], method: str) -> str:
    if path := found["path"]:
        return f"{method} {path.decode(errors='replace')}"
    return (found["action"] or found["query"]).decode()


def _operation(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]) -> str:
    """What is asked for: an operation's name, or a method and path."""
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    action = (parse_qs(body.decode("latin-1")) if form else query).get("Action")
    return str(action[0]) if action else f"{method} {path}"
