# SPDX-License-Identifier: Apache-2.0
"""Rows of text in columns. Cells are never truncated, and names are never wrapped, so that they can be copied."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.text import Text

from mlops.cli import show

GAP = "  "
WORTH_FOLDING = 24  # columns
UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def write(
    headings: Sequence[str],
    rows: Sequence[Sequence[Text | str]],
    *,
    fold: bool = False,
    below: Sequence[Sequence[Text]] = (),
) -> None:
    """Headings (on a terminal) and rows on stdout, the columns as wide as their widest cell.

    `below` has the lines to print below each row. With `fold`, the last column is wrapped at words if the terminal is
    wide enough; names are never wrapped.
    """
    console = show.out()
    lines = [[Text(heading, style="dim") for heading in headings]] if headings and console.is_terminal else []
    lines += [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
    indent = sum(widths[:-1]) + len(GAP) * len(widths[:-1])
    room = console.width - indent if fold and console.is_terminal else 0
    headed = len(lines) - len(rows)
    for number, (*cells, last) in enumerate(lines):
        padded = [cell + Text(" " * (width - cell.cell_len)) for cell, width in zip(cells, widths, strict=False)]
        text = Text(GAP).join([*padded, folded(last, room, indent)])
        text.rstrip()
        console.print(text)
        for one in below[number - headed] if below and number >= headed else ():
            console.print(one)


def folded(cell: Text, room: int, indent: int) -> Text:
    if room < WORTH_FOLDING:
        return cell
    wrapped = textwrap.wrap(cell.plain, room, break_long_words=False, break_on_hyphens=False)
    return Text(f"\n{' ' * indent}".join(wrapped), style=cell.style)


def ago(moment: str | None, now: datetime | None = None) -> str:
    """How long ago a moment in ISO 8601 was, in its largest unit: `3 d`."""
    if not moment:
        return ""
    seconds = max(0, int(((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()))
    unit, size = next((unit for unit in UNITS if seconds >= unit[1]), UNITS[-1])
    return f"{seconds // size} {unit}"
