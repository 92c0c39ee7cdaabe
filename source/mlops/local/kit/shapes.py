# SPDX-License-Identifier: Apache-2.0
"""Values against botocore's shapes: what the wire says, whether a value fits, and back to the wire.

`read` turns JSON into Python values (dates, bytes), `check` lists what AWS would find wrong with a value, in
its words, and `write` turns a value into JSON.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import regex
from botocore.model import ListShape, MapShape, Shape, StructureShape

from mlops.local.kit.errors import ApiError

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "structure": (dict,),
    "map": (dict,),
    "list": (list, tuple),
    "blob": (bytes, bytearray),
    "timestamp": (datetime,),
}


# --- from the wire -----------------------------------------------------------------------------------------


def read(shape: Shape, value: Any) -> Any:
    """A JSON value as Python has it; absent and null members are left out."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            name: read(shape.members[name], item) if name in shape.members else item
            for name, item in value.items()
            if item is not None
        }
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: read(shape.value, item) for key, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [read(shape.member, item) for item in value]
    if shape.type_name == "blob" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise ApiError("SerializationException", "The blob is not valid base64.") from error
    if shape.type_name == "timestamp":
        return _read_timestamp(value)
    return value


def _read_timestamp(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return value


# --- whether it fits ---------------------------------------------------------------------------------------


def check(shape: Shape | None, value: Any) -> list[str]:
    """What is wrong with `value`, in AWS's words; type errors and unknown members raise at once."""
    return list(_check(shape, value, "")) if shape is not None else _check_nothing(value)


def _check_nothing(value: Any) -> list[str]:
    if value:
        raise ApiError("SerializationException", f"Unknown parameters: {', '.join(sorted(value))}")
    return []


def _check(shape: Shape, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if not _is(kind, value):
        raise ApiError(
            "SerializationException", f"{_type_name(value)} can not be converted to {kind} at '{path or shape.name}'"
        )
    if isinstance(shape, StructureShape):
        yield from _check_structure(shape, value, path)
    elif isinstance(shape, MapShape):
        yield from _check_length(shape, value, path)
        for key, item in value.items():
            yield from _check(shape.key, key, f"{path}.{key}.key")
            yield from _check(shape.value, item, f"{path}.{key}.member")
    elif isinstance(shape, ListShape):
        yield from _check_length(shape, value, path)
        for position, item in enumerate(value, 1):
            yield from _check(shape.member, item, f"{path}.{position}.member")
    elif kind == "string":
        yield from _check_length(shape, value, path)
        yield from _check_text(shape, value, path)
    elif kind == "blob":
        yield from _check_length(shape, value, path)
    elif kind in ("integer", "long", "float", "double"):
        yield from _check_number(shape, value, path)


def _is(kind: str, value: Any) -> bool:
    return isinstance(value, _JSON_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _check_structure(shape: StructureShape, value: dict[str, Any], path: str) -> Iterator[str]:
    unknown = sorted(value.keys() - shape.members.keys())
    if unknown:
        raise ApiError(
            "SerializationException",
            f"Unknown parameter in {path or 'input'}: {', '.join(unknown)}, must be one of: {', '.join(shape.members)}",
        )
    for name, member in shape.members.items():
        where = f"{path}.{_camel(name)}" if path else _camel(name)
        if value.get(name) is not None:
            yield from _check(member, value[name], where)
        elif name in shape.required_members:
            yield _problem(None, where, "not be null")
    if shape.metadata.get("union") and len(value) != 1:
        raise ApiError("SerializationException", f"Exactly one member must be set in {path or shape.name}")


def _check_length(shape: Shape, value: Any, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and len(value) < low:
        yield _problem(value, path, f"have length greater than or equal to {low}")
    if high is not None and len(value) > high:
        yield _problem(value, path, f"have length less than or equal to {high}")


def _check_text(shape: Shape, value: str, path: str) -> Iterator[str]:
    pattern, enum = shape.metadata.get("pattern"), shape.metadata.get("enum")
    if pattern and not _matcher(pattern)(value):
        yield _problem(value, path, f"satisfy regular expression pattern: {pattern}")
    if enum and value not in enum:
        yield _problem(value, path, f"satisfy enum value set: [{', '.join(enum)}]")


def _check_number(shape: Shape, value: float, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        yield _problem(value, path, f"have value greater than or equal to {low}")
    if high is not None and value > high:
        yield _problem(value, path, f"have value less than or equal to {high}")
    if not math.isfinite(value):
        raise ApiError("SerializationException", f"{value} is not a number at '{path}'")


@lru_cache(maxsize=2048)
def _matcher(pattern: str) -> Callable[[str], Any]:
    matcher: Callable[[str], Any] = regex.compile(pattern).fullmatch
    return matcher


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]


def _problem(value: Any, path: str, rule: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: Member must {rule}"


def _type_name(value: Any) -> str:
    return {dict: "Start of structure or map", list: "Start of list", bool: "Boolean value"}.get(
        type(value), f"{type(value).__name__} value {value!r:.80}"
    )


# --- to the wire -------------------------------------------------------------------------------------------


def write(shape: Shape, value: Any, timestamp: Callable[[datetime], Any]) -> Any:
    """A checked value as JSON has it."""
    if isinstance(shape, StructureShape):
        return {name: write(shape.members[name], item, timestamp) for name, item in value.items() if item is not None}
    if isinstance(shape, MapShape):
        return {key: write(shape.value, item, timestamp) for key, item in value.items()}
    if isinstance(shape, ListShape):
        return [write(shape.member, item, timestamp) for item in value]
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    if shape.type_name == "timestamp":
        return timestamp(value)
    return value


def epoch(moment: datetime) -> float:
    return round(moment.timestamp(), 3)


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
