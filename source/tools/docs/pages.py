# SPDX-License-Identifier: Apache-2.0
"""The generated parts of Markdown pages: each stands between two comments that name it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class PageError(Exception):
    """A page has no place for a generated part, or what it is made from says too little."""


def renewed(page: str, part: str, text: str) -> str:
    """A page with one of its generated parts renewed."""
    begin, end = f"<!-- {part}: made by `make docs` -->", f"<!-- end of {part} -->"
    head, found, rest = page.partition(begin)
    _, ended, tail = rest.partition(end)
    if not found or not ended:
        raise PageError(f"has no lines {begin} and {end}")
    return f"{head}{begin}\n{text}\n{end}{tail}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows])
