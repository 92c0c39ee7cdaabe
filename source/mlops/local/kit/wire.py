# SPDX-License-Identifier: Apache-2.0
"""The two wire protocols our services speak: AWS JSON 1.1, and REST with JSON."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Protocol

from botocore.model import OperationModel, ServiceModel, Shape

from mlops.local.kit import shapes
from mlops.local.kit.errors import ApiError

Response = tuple[int, dict[str, str], bytes]


class Wire(Protocol):
    def operation(self, method: str, path: str, headers: dict[str, str]) -> str | None: ...
    def read(
        self, model: OperationModel, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> dict[str, Any]: ...
    def write(self, model: OperationModel, answer: dict[str, Any], request_id: str) -> Response: ...
    def write_error(self, error: ApiError, request_id: str) -> Response: ...


class JsonProtocol:
    """AWS JSON: the operation in a header, everything else in the body."""

    def __init__(self, model: ServiceModel) -> None:
        self._target = model.metadata["targetPrefix"]
        self._content_type = f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.1')}"

    def operation(self, method: str, path: str, headers: dict[str, str]) -> str | None:
        prefix, _, name = headers.get("x-amz-target", "").rpartition(".")
        return name if method == "POST" and path == "/" and prefix == self._target else None

    def read(
        self, model: OperationModel, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> dict[str, Any]:
        return _read_object(model.input_shape, body)

    def write(self, model: OperationModel, answer: dict[str, Any], request_id: str) -> Response:
        content = shapes.write(model.output_shape, answer, shapes.epoch) if model.output_shape else {}
        return 200, {"content-type": self._content_type}, json.dumps(content).encode()

    def write_error(self, error: ApiError, request_id: str) -> Response:
        content = {"__type": error.code, "message": error.message, **error.details}
        return error.status, {"content-type": self._content_type}, json.dumps(content).encode()


class RestJsonProtocol:
    """REST: parts of the request in path, query and headers, the payload in the body."""

    def __init__(self, model: ServiceModel) -> None:
        operations = [model.operation_model(name) for name in model.operation_names]
        self._routes = [
            (operation.http["method"], _route(operation.http["requestUri"]), operation.name) for operation in operations
        ]

    def operation(self, method: str, path: str, headers: dict[str, str]) -> str | None:
        return next((name for verb, route, name in self._routes if verb == method and route.fullmatch(path)), None)

    def read(
        self, model: OperationModel, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> dict[str, Any]:
        shape = model.input_shape
        if shape is None:
            return {}
        matched = _route(model.http["requestUri"]).fullmatch(path)
        labels = matched.groupdict() if matched else {}
        payload = shape.serialization.get("payload")
        request = {} if payload else _read_object(shape, body)
        for name, member in shape.members.items():
            location, wire_name = member.serialization.get("location"), member.serialization.get("name", name)
            if name == payload:
                request[name] = body if member.type_name == "blob" else _read_object(member, body)
            elif location == "uri" and wire_name in labels:
                request[name] = labels[wire_name]
            elif location == "header" and wire_name.lower() in headers:
                request[name] = _from_text(member, headers[wire_name.lower()])
            elif location == "querystring" and wire_name in query:
                request[name] = _from_text(member, query[wire_name][0])
        return request

    def write(self, model: OperationModel, answer: dict[str, Any], request_id: str) -> Response:
        # lower case on purpose: ministack rewrites a Content-Type it takes for an envelope's
        headers = {"content-type": "application/json"}
        shape = model.output_shape
        status = int(model.http.get("responseCode", 200))
        if shape is None:
            return status, headers, b""
        payload = shape.serialization.get("payload")
        members: dict[str, Any] = {}
        for name, value in answer.items():
            member = shape.members[name]
            location = member.serialization.get("location")
            if location == "header":
                headers[member.serialization.get("name", name).lower()] = _to_text(value)
            elif location == "statusCode":
                status = value
            elif name != payload and value is not None:
                members[name] = shapes.write(member, value, shapes.epoch)
        if payload:
            body = answer.get(payload, b"")
            return (
                status,
                headers,
                body
                if isinstance(body, bytes)
                else json.dumps(shapes.write(shape.members[payload], body, shapes.epoch)).encode(),
            )
        return status, headers, json.dumps(members).encode()

    def write_error(self, error: ApiError, request_id: str) -> Response:
        headers = {"content-type": "application/json", "x-amzn-errortype": error.code}
        content = {"message": error.message, "Message": error.message, **error.details}
        return error.status, headers, json.dumps(content).encode()


def _read_object(shape: Shape | None, body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ApiError("SerializationException", "The request body is not valid JSON.") from error
    if not isinstance(content, dict):
        raise ApiError("SerializationException", "The request body is not a JSON object.")
    request: dict[str, Any] = shapes.read(shape, content) if shape else content
    return request


def _route(uri: str) -> re.Pattern[str]:
    """`/endpoints/{EndpointName}/invocations` as a pattern."""
    parts = re.split(r"\{(\w+)\+?\}", uri.split("?", maxsplit=1)[0])
    return re.compile("".join(f"(?P<{part}>[^/]+)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)))


def _from_text(shape: Shape, text: str) -> Any:
    match shape.type_name:
        case "integer" | "long":
            return int(text) if re.fullmatch(r"-?\d+", text) else text
        case "boolean":
            return {"true": True, "false": False}.get(text, text)
        case "string" if shape.serialization.get("jsonvalue"):
            return base64.b64decode(text).decode()
        case _:
            return text


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return format_datetime(value, usegmt=True)
    return str(value)
