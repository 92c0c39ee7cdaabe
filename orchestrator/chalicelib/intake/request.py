# SPDX-License-Identifier: Apache-2.0
"""Bytes -> a body: size, UTF-8, JSON, depth, duplicate keys, NaN and the top-level type.

Numbers keep the text they were written as (`1.10` stays 1.10), since a version may come as a number.
"""

from __future__ import annotations

import json
import math
from typing import Any

from chalicelib.errors import BadRequest, Code, Problem, TooLarge
from chalicelib.quoting import cut, pointer

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
INVALID_BODY = "Invalid request body"
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

    Raises TooLarge or BadRequest; the problem says where in the text it is, as far as that is known.
    """
    if len(raw) > MAX_BYTES:
        too_long = Problem("", Code.TOO_LONG, f"the body has {len(raw):,} bytes", f"at most {MAX_BYTES:,}")
        raise TooLarge(f"The request body is larger than {MAX_BYTES:,} bytes", [too_long])
    if not raw.strip():
        raise _bad_request(Code.INVALID_JSON, "the body is empty", "send a JSON object")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} of the body is not UTF-8"
        raise _bad_request(Code.INVALID_JSON, problem, "encode the body in UTF-8") from None
    body = parse_value(text)
    if not isinstance(body, dict):
        hint = 'send a JSON object, for example {"pipeline_type": …}'
        raise _bad_request(Code.WRONG_TYPE, f"the body is {describe(body)}, not an object", hint)
    return body


def parse_value(text: str) -> Any:
    """The value of a JSON text. Raises BadRequest with every problem."""
    if _depth(text) > MAX_DEPTH:
        problem = f"the JSON is nested more than {MAX_DEPTH} levels deep"
        raise _bad_request(Code.TOO_DEEP, problem, f"use at most {MAX_DEPTH} levels")
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        problem = f"invalid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise _bad_request(Code.INVALID_JSON, problem, "check commas, quotation marks and brackets") from None
    if problems := _problems(value, ""):
        raise BadRequest(INVALID_BODY, problems)
    return value


def describe(value: Any) -> str:
    """The kind of a JSON value, in words."""
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


def _bad_request(code: Code, problem: str, hint: str) -> BadRequest:
    return BadRequest(INVALID_BODY, [Problem("", code, problem, hint)])


def _depth(text: str) -> int:
    """How deep brackets nest, outside strings; checked before parsing, since a parser recurses."""
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
    """An object with duplicate keys, until its place in the body is known."""

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
    raise _bad_request(Code.INVALID_JSON, f"{name} is not JSON", "use a number")


def _integer(text: str) -> int:
    if len(text) > 20:
        raise _bad_request(Code.TOO_LARGE, f"{text[:20]}… is too large", "use a smaller number")
    return int(text)


def _problems(value: Any, path: str) -> list[Problem]:
    """Duplicate keys, and numbers and strings that no field may have."""
    if isinstance(value, dict):
        duplicate_keys = value.duplicate_keys if isinstance(value, _DuplicateKeys) else []
        hint = "remove all but one"
        found = [Problem(path + pointer(key), Code.DUPLICATE_KEY, "is a duplicate key", hint) for key in duplicate_keys]
        for key, item in value.items():
            found += _problems(key, path + pointer(key)) + _problems(item, path + pointer(key))
        return found
    if isinstance(value, list):
        return [problem for index, item in enumerate(value) for problem in _problems(item, f"{path}/{index}")]
    if isinstance(value, Decimal) and not math.isfinite(value):
        return [Problem(path, Code.TOO_LARGE, f"{cut(value.text, 20)} is too large", "use a smaller number")]
    return _text_problems(value, path) if isinstance(value, str) else []


def _text_problems(value: str, path: str) -> list[Problem]:
    """Control characters, what is not a character, and expressions that AWS would evaluate."""
    for expression in EXPRESSIONS:
        if expression in value:
            problem = f"contains {expression!r}, which AWS would evaluate as an expression"
            return [Problem(path, Code.UNSAFE_TEXT, problem, "remove it")]
    if value.isascii() and value.isprintable():
        return []
    for character in value:
        if "\ud800" <= character <= "\udfff":
            problem = "contains half of a surrogate pair, which is not a character"
            return [Problem(path, Code.UNSAFE_TEXT, problem, "encode the body in UTF-8")]
        if character == "\ufffd":  # what API Gateway makes of bytes that are not UTF-8
            problem = "contains U+FFFD, which replaces bytes that are not UTF-8"
            return [Problem(path, Code.UNSAFE_TEXT, problem, "encode the body in UTF-8")]
        if (character < " " and character not in "\t\n\r") or "\x7f" <= character <= "\x9f":
            problem = f"contains the control character U+{ord(character):04X}"
            return [Problem(path, Code.UNSAFE_TEXT, problem, "remove it")]
    return []
