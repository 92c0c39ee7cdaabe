# SPDX-License-Identifier: Apache-2.0
"""Unsupported services and operations: returns an error in the caller's protocol.

    service, operation and headers of a request that nobody serves -> an error

The code is NotImplemented with status 501, which no SDK repeats.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from xml.sax.saxutils import escape

from mlops.local.kit import served
from mlops.local.ministack import unsupported

_CODE = "NotImplemented"


def install(ours: Container[str]) -> None:
    """`ours` are the services that this package serves itself."""
    unsupported.answer_missing(
        lambda service, operation: service in ours or served.has(service, operation), _answer, words
    )


def words(service: str, operation: str) -> str:
    """What is said of an operation that nobody serves."""
    return f"The laptop account does not support {service} {operation}."


def _answer(service: str, operation: str, headers: Mapping[str, str]) -> unsupported.Response:
    message = words(service, operation)
    if service not in served.SERVICES:
        message += f" It does not support {service}."
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        error = f"<Error><Type>Sender</Type><Code>{_CODE}</Code><Message>{escape(message)}</Message></Error>"
        return 501, {"content-type": "text/xml"}, f"<ErrorResponse>{error}</ErrorResponse>".encode()
    content = {"__type": _CODE, "message": message, "Message": message}
    answered = {"content-type": "application/json", "x-amzn-errortype": _CODE}
    return 501, answered, json.dumps(content).encode()
