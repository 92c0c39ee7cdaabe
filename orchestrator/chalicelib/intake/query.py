# SPDX-License-Identifier: Apache-2.0
"""Query parameters: texts in, values out. What is not known is refused, as in a body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.errors import BadRequest, Problem

FLAGS = {"true": True, "false": False}


@dataclass
class Query:
    """The query parameters of one request. Each is read once; `done` refuses what is wrong and what was not read."""

    given: Mapping[str, str]
    _read: set[str] = field(default_factory=set)
    _problems: list[Problem] = field(default_factory=list)

    def flag(self, name: str) -> bool:
        """`true` or `false`; false where it is absent."""
        text = self._take(name) or "false"
        if text not in FLAGS:
            self._wrong(name, "is neither true nor false")
        return FLAGS.get(text, False)

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1."""
        text = self._take(name) or str(default)
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
            self._wrong(name, "is not a number in range", f"a whole number from 1 to {most}")
            return default
        return int(text)

    def name(self, name: str) -> str:
        """The beginning of a pipeline's name, in lower case; empty where it is absent."""
        text = self._take(name).lower()
        if not re.fullmatch(r"[a-z0-9-]{0,128}", text):
            self._wrong(name, "cannot be a part of a pipeline's name", "letters, digits and -")
        return text

    def text(self, name: str) -> str:
        """Any text, as what an answer gave to go on with; empty where it is absent."""
        return self._take(name)

    @property
    def known(self) -> set[str]:
        """The parameters that were read."""
        return set(self._read)

    def done(self) -> None:
        """Raises BadRequest with every problem."""
        known = ", ".join(sorted(self._read)) or "none is known"
        unknown = [
            Problem(f"/{name}", "is not a known query parameter", known)
            for name in sorted(self.given)
            if name not in self._read
        ]
        if found := [*self._problems, *unknown]:
            raise BadRequest(f"{len(found)} problem{'s' if len(found) > 1 else ''} in the query parameters", found)

    def _take(self, name: str) -> str:
        self._read.add(name)
        return self.given.get(name, "")

    def _wrong(self, name: str, problem: str, hint: str = "true or false") -> None:
        self._problems.append(Problem(f"/{name}", problem, hint))
