# SPDX-License-Identifier: Apache-2.0
"""Rows of text in columns, each line whole: names are there to be copied, so nothing is cut or folded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.text import Text

from mlops.cli import show

GAP = "  "
UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def write(headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Headings (on a terminal) and rows on stdout, the columns as wide as their widest cell."""
    console = show.out()
    lines = [[Text(heading, style="dim") for heading in headings], *rows] if console.is_terminal else rows
    widths = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = [cell + Text(" " * (width - cell.cell_len)) for cell, width in zip(line, widths, strict=True)]
        text = Text(GAP).join(padded)
        text.rstrip()
        console.print(text)


def ago(moment: str | None, now: datetime | None = None) -> str:
    """How long ago a moment in ISO 8601 was, in its largest unit: `3 d`."""
    if not moment:
        return ""
    seconds = max(0, int(((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds()))
    unit, size = next((unit for unit in UNITS if seconds >= unit[1]), UNITS[-1])
    return f"{seconds // size} {unit}"
