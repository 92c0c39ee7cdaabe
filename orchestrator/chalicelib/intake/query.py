# SPDX-License-Identifier: Apache-2.0
"""Query parameters: strings in, values out. Unknown ones are refused, as in a body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.errors import BadRequest, Code, Problem
from chalicelib.names import STACK_NAME
from chalicelib.quoting import shown

FLAGS = {"true": True, "false": False}


@dataclass
class Query:
    """The query parameters of one request. Each is read once; `done` refuses what is wrong and what was not read."""

    given: Mapping[str, str]
    _read: set[str] = field(default_factory=set)
    _problems: list[Problem] = field(default_factory=list)

    def flag(self, name: str) -> bool:
        """`true` or `false`; false if it is absent."""
        text = self._take(name) or "false"
        if text not in FLAGS:
            self._wrong(name, Code.NOT_ALLOWED_VALUE, f"{shown(text)} is not true or false", "true or false")
        return FLAGS.get(text, False)

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1."""
        text = self._take(name) or str(default)
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
            problem = f"{shown(text)} is not a whole number from 1 to {most}"
            self._wrong(name, Code.NOT_ALLOWED_VALUE, problem, f"a whole number from 1 to {most}")
            return default
        return int(text)

    def name(self, name: str) -> str:
        """The beginning of a pipeline's name, in lower case; empty if it is absent."""
        text = self._take(name).lower()
        if not re.fullmatch(f"[a-z0-9-]{{0,{STACK_NAME}}}", text):
            problem = f"{shown(text)} cannot be part of a pipeline's name"
            self._wrong(name, Code.WRONG_FORMAT, problem, f"letters, digits and hyphens, at most {STACK_NAME}")
        return text

    def text(self, name: str) -> str:
        """Any text, such as the token of a page; empty if it is absent."""
        return self._take(name)

    @property
    def known(self) -> set[str]:
        """The parameters that were read."""
        return set(self._read)

    def done(self) -> None:
        """Raises BadRequest with every problem."""
        known = ", ".join(sorted(self._read))
        hint = f"use {known}" if known else "remove it"
        unknown = [
            Problem(f"/{name}", Code.UNKNOWN_KEY, "is an unknown query parameter", hint)
            for name in sorted(self.given)
            if name not in self._read
        ]
        if found := [*self._problems, *unknown]:
            raise BadRequest(f"{len(found)} problem{'s' if len(found) > 1 else ''} in the query parameters", found)

    def _take(self, name: str) -> str:
        self._read.add(name)
        return self.given.get(name, "")

    def _wrong(self, name: str, code: Code, problem: str, hint: str) -> None:
        self._problems.append(Problem(f"/{name}", code, problem, hint))
