# SPDX-License-Identifier: Apache-2.0
"""Filter patterns of CloudWatch Logs: a pattern -> a function that says whether a message matches.

    ERROR "two words" -DEBUG       all of the terms, as they are written; none of those with a minus
    ?ERROR ?WARN                   any of the terms
    %ERROR\\d+%                     a regular expression
    { $.status = 4* && $.path != "/health" }

A pattern in brackets, for fields between spaces, is refused.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

Matches: TypeAlias = Callable[[str], bool]
_Test: TypeAlias = Callable[[Any], bool]
_TERM = re.compile(r'(?P<sign>[?-]?)(?:"(?P<quoted>(?:\\.|[^"\\])*)"|%(?P<regex>[^%]+)%|(?P<bare>[^\s"]+))')
_TOKEN = re.compile(r'\s*(\(|\)|&&|\|\||!=|<=|>=|=|<|>|"(?:\\.|[^"\\])*"|%[^%]+%|[^\s()&|=<>!"]+)')
_COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class BadPattern(Exception):
    """Why a pattern cannot be used."""


def compiled(pattern: str) -> Matches:
    """The function that a pattern stands for; raises BadPattern."""
    pattern = pattern.strip()
    if pattern.startswith("["):
        raise BadPattern("The laptop account does not support filter patterns for space-delimited fields ([...]).")
    if pattern.startswith("{"):
        if not pattern.endswith("}"):
            raise BadPattern("Invalid filter pattern: a JSON pattern ends with }.")
        return _of_json(_Json(pattern[1:-1]).whole())
    return _of_terms(pattern)


def _of_terms(pattern: str) -> Matches:
    signed: dict[str, list[Matches]] = {"": [], "?": [], "-": []}
    position = 0
    while position < len(pattern):
        if pattern[position].isspace():
            position += 1
            continue
        found = _TERM.match(pattern, position)
        if not found:
            raise BadPattern(f"Invalid filter pattern: {pattern[position:]}")
        signed[found["sign"]].append(_term(found))
        position = found.end()
    needed, optional, excluded = signed[""], signed["?"], signed["-"]

    def matches(message: str) -> bool:
        wanted = all(term(message) for term in needed)
        if optional and not needed:  # beside other terms AWS ignores them
            wanted = any(term(message) for term in optional)
        return wanted and not any(term(message) for term in excluded)

    return matches


def _term(found: re.Match[str]) -> Matches:
    if found["regex"] is not None:
        return _regex(found["regex"])
    text = found["bare"] if found["quoted"] is None else re.sub(r"\\(.)", r"\1", found["quoted"])
    return lambda message: text in message


def _regex(text: str) -> Matches:
    try:
        expression = re.compile(text)
    except re.error as error:
        raise BadPattern(f"Invalid filter pattern: %{text}% is not a regular expression ({error})") from error
    return lambda message: expression.search(message) is not None


# --- JSON --------------------------------------------------------------------------------------------------


def _of_json(test: _Test) -> Matches:
    def matches(message: str) -> bool:
        try:
            value = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return isinstance(value, dict | list) and test(value)

    return matches


class _Json:
    """Reads `$.a = 1 && ($.b = "x*" || $.c NOT EXISTS)`."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        position = 0
        text = text.strip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if not found:
                raise BadPattern(f"Invalid filter pattern: {text[position:]}")
            self._tokens.append(found[1])
            position = found.end()
        self._tokens.append("")

    def whole(self) -> _Test:
        test = self._either()
        if self._tokens[0]:
            raise BadPattern(f"Invalid filter pattern: {self._tokens[0]} is unexpected")
        return test

    def _next(self) -> str:
        token = self._tokens[0]
        if not token:
            raise BadPattern("Invalid filter pattern: unexpected end")
        return self._tokens.pop(0)

    def _either(self) -> _Test:
        tests = [self._both()]
        while self._tokens[0] == "||":
            self._next()
            tests.append(self._both())
        return lambda value: any(test(value) for test in tests)

    def _both(self) -> _Test:
        tests = [self._one()]
        while self._tokens[0] == "&&":
            self._next()
            tests.append(self._one())
        return lambda value: all(test(value) for test in tests)

    def _one(self) -> _Test:
        first = self._next()
        if first == "(":
            test = self._either()
            if self._next() != ")":
                raise BadPattern("Invalid filter pattern: ) is missing")
            return test
        if not first.startswith("$"):
            raise BadPattern(f"Invalid filter pattern: {first} is not a field, as in $.name")
        select, relation = _selector(first), self._next()
        if relation.upper() in ("IS", "NOT", "EXISTS"):
            return _state(select, relation if relation.upper() == "EXISTS" else f"{relation} {self._next()}")
        return _compare(select, relation, self._next())


_NOTHING = object()


def _selector(path: str) -> Callable[[Any], Any]:
    parts = [name or int(index) for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path[1:])]

    def select(value: Any) -> Any:
        for part in parts:
            if isinstance(part, int):
                value = value[part] if isinstance(value, list) and part < len(value) else _NOTHING
            else:
                value = value.get(part, _NOTHING) if isinstance(value, dict) else _NOTHING
        return value

    return select


def _state(select: Callable[[Any], Any], words: str) -> _Test:
    states: dict[str, Any] = {"IS TRUE": True, "IS FALSE": False, "IS NULL": None, "NOT EXISTS": _NOTHING}
    if words.upper() == "EXISTS":
        return lambda value: select(value) is not _NOTHING
    if words.upper() not in states:
        raise BadPattern(f"Invalid filter pattern: {words}")
    wanted = states[words.upper()]
    return lambda value: select(value) is wanted


def _compare(select: Callable[[Any], Any], relation: str, text: str) -> _Test:
    if relation in _COMPARED:
        compare, bound = _COMPARED[relation], _number(text)
        if bound is None:
            raise BadPattern(f"Invalid filter pattern: {text} is not a number")
        return lambda value: isinstance(found := select(value), int | float) and bool(compare(found, bound))
    if relation not in ("=", "!="):
        raise BadPattern(f"Invalid filter pattern: {relation} is not a comparison operator")
    equal = _equality(text)
    return lambda value: (select(value) is not _NOTHING) and equal(select(value)) == (relation == "=")


def _equality(text: str) -> _Test:
    if text.startswith("%"):
        expression = _regex(text.strip("%"))
        return lambda found: isinstance(found, str) and expression(found)
    quoted = text.startswith('"')
    wanted = re.sub(r"\\(.)", r"\1", text[1:-1]) if quoted else text
    number = None if quoted else _number(text)

    def equal(found: Any) -> bool:
        if isinstance(found, int | float) and not isinstance(found, bool):
            return found == number if number is not None else not quoted and fnmatchcase(json.dumps(found), wanted)
        return isinstance(found, str) and fnmatchcase(found, wanted.replace("[", "[[]"))

    return equal


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
