# SPDX-License-Identifier: Apache-2.0
"""Bytes -> a body: size, UTF-8, JSON, depth, duplicate keys, NaN and the top-level type.

Numbers keep the text they were written as (`1.10` stays 1.10), since a version may come as a number.
"""

from __future__ import annotations

import json
import math
from typing import Any

from chalicelib.errors import BadRequest, Problem, TooLarge
from chalicelib.quoting import cut, pointer

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
# What Step Functions would evaluate, and what CloudFormation would look up in the account's parameters and secrets:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
EXPRESSIONS = ("{%", "{{resolve:")

Body = dict[str, Any]


class Decimal(float):
    """A JSON number with a fraction or exponent, and the text it was written as."""

    text: str

    def __new__(cls, text: str) -> Decimal:
        value = super().__new__(cls, text)
        value.text = text
        return value


def parse(raw: bytes) -> Body:
    """The body of a request.

    Raises TooLarge or BadRequest; the problem says where in the text it is, as far as that can be told.
    """
    if len(raw) > MAX_BYTES:
        raise TooLarge(
            f"The request body has {len(raw):,} bytes; at most {MAX_BYTES:,} are taken",
            [Problem("", f"{len(raw):,} bytes are more than {MAX_BYTES:,}")],
        )
    if not raw.strip():
        raise _bad_request("the body is empty", "send one JSON object")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad_request(f"byte {error.start} is not UTF-8", "send the body encoded as UTF-8") from None
    depth = _depth(text)
    if depth > MAX_DEPTH:
        raise _bad_request(f"the body is nested more than {MAX_DEPTH} levels deep", "no request needs that")
    try:
        body = json.loads(
            text, object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise _bad_request(
            f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}", "send one JSON object"
        ) from None
    if not isinstance(body, dict):
        raise _bad_request(f"the body is {describe(body)}", 'send one JSON object, as {"pipeline_type": …}')
    problems = _problems(body, "")
    if problems:
        raise BadRequest("The request body is not usable", problems)
    return body


def describe(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    kinds = {
        bool: "true or false",
        str: "a string",
        dict: "an object",
        list: "a list",
        int: "a number",
        float: "a number",
        Decimal: "a number",
    }
    return str(value).lower() if isinstance(value, bool) else kinds[type(value)]


def _bad_request(problem: str, hint: str) -> BadRequest:
    return BadRequest("The request body is not usable", [Problem("", problem, hint)])


def _depth(text: str) -> int:
    """How deep brackets nest, outside strings; told before parsing, since a parser recurses."""
    depth = deepest = 0
    inside = escaped = False
    for character in text:
        if inside:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                break
        elif character in "]}":
            depth -= 1
    return deepest


class _DuplicateKeys(dict[str, Any]):
    """An object in which keys stand twice, until its place in the body is known."""

    duplicate_keys: list[str]


def _object(pairs: list[tuple[str, Any]]) -> Body:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    duplicates = _DuplicateKeys(found)
    keys = [key for key, _ in pairs]
    duplicates.duplicate_keys = sorted({key for key in keys if keys.count(key) > 1})
    return duplicates


def _constant(name: str) -> Any:
    raise _bad_request(f"{name} is not JSON", "give a number")


def _integer(text: str) -> int:
    if len(text) > 20:
        raise _bad_request(f"{text[:20]}… is too large a number", "no field needs that")
    return int(text)


def _problems(value: Any, path: str) -> list[Problem]:
    """Keys that stand twice, and numbers and texts that no field may have."""
    if isinstance(value, dict):
        duplicate_keys = value.duplicate_keys if isinstance(value, _DuplicateKeys) else []
        found = [Problem(path + pointer(key), "the key stands twice", "keep one of them") for key in duplicate_keys]
        for key, item in value.items():
            found += _problems(key, path + pointer(key)) + _problems(item, path + pointer(key))
        return found
    if isinstance(value, list):
        return [problem for index, item in enumerate(value) for problem in _problems(item, f"{path}/{index}")]
    if isinstance(value, Decimal) and not math.isfinite(value):
        return [Problem(path, f"{cut(value.text, 20)} is too large a number", "no field needs that")]
    return _text_problems(value, path) if isinstance(value, str) else []


def _text_problems(value: str, path: str) -> list[Problem]:
    """Control characters, what is no character, and expressions that AWS would evaluate."""
    for expression in EXPRESSIONS:
        if expression in value:
            return [Problem(path, f"{expression!r} would be read as an expression", "leave it out")]
    if value.isascii() and value.isprintable():
        return []
    for character in value:
        if "\ud800" <= character <= "\udfff":
            return [Problem(path, "half a surrogate pair is no character", "send text as UTF-8")]
        if character == "\ufffd":  # what API Gateway makes of bytes that are no UTF-8
            return [Problem(path, "holds a replacement character, where bytes were no UTF-8", "send text as UTF-8")]
        if (character < " " and character not in "\t\n\r") or "\x7f" <= character <= "\x9f":
            return [Problem(path, f"the control character U+{ord(character):04X} is not allowed", "leave it out")]
    return []
