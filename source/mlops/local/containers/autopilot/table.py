# SPDX-License-Identifier: Apache-2.0
"""CSV files with a header each -> one table of text.

Cells stay text here: what a column holds is found out in `columns`. Missing cells are empty strings.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlops.local.containers.autopilot.errors import DataError

Rows = np.ndarray[Any, np.dtype[np.object_]]  # of text: rows x columns

_MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "?"})
_LONGEST_CELL = 2**20


@dataclass(frozen=True)
class Table:
    """Columns by name, and their cells as text."""

    columns: tuple[str, ...]
    rows: Rows

    def column(self, name: str) -> Rows:
        """The cells of one column."""
        found: Rows = self.rows[:, self.columns.index(name)]
        return found

    def without(self, names: Iterable[str]) -> Table:
        """The table without some of its columns."""
        kept = [number for number, name in enumerate(self.columns) if name not in set(names)]
        return Table(tuple(self.columns[number] for number in kept), self.rows[:, kept])

    def where(self, chosen: np.ndarray[Any, Any]) -> Table:
        """Some of the rows: a mask, or their numbers."""
        return Table(self.columns, self.rows[chosen])


def read(folder: Path) -> Table:
    """All files below a folder, in the order of their names. Raises DataError."""
    header: list[str] | None = None
    rows: list[list[str]] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        found, *lines = _lines(path.read_bytes(), name) or [[]]
        found = [column.strip() for column in found]
        if header is None:
            header = _checked(found, name)
        elif found != header:
            raise DataError(
                f"the header of {name} is not that of the other files: all files must have the same columns"
            )
        for number, line in enumerate(lines, 2):
            if len(line) != len(header):
                raise DataError(f"{name}, row {number}: {len(line)} cells, but the header has {len(header)} columns")
            rows.append(line)
    if header is None:
        raise DataError("there is no data")
    return Table(tuple(header), cells(rows, len(header)))


def parse(text: str, where: str) -> list[list[str]]:
    """The lines of CSV text, without blank ones. Raises DataError."""
    return _lines(text.encode(), where)


def cells(rows: Sequence[Sequence[str]], width: int) -> Rows:
    """Rows of text as an array; whatever stands for a missing cell becomes empty."""
    table: Rows = np.empty((len(rows), width), dtype=object)
    for number, row in enumerate(rows):
        table[number] = ["" if (text := cell.strip()).lower() in _MISSING else text for cell in row]
    return table


def _lines(content: bytes, name: str) -> list[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not text in UTF-8 ({error.reason} at byte {error.start})") from error
    previous = csv.field_size_limit(_LONGEST_CELL)
    try:
        return [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line and line != [""]]
    except csv.Error as error:
        raise DataError(f"{name} is not CSV: {error}") from error
    finally:
        csv.field_size_limit(previous)


def _checked(header: list[str], name: str) -> list[str]:
    if len(header) < 2:
        raise DataError(f"{name} has fewer than two columns; the columns are separated by commas")
    if "" in header:
        raise DataError(f"{name}: the header has no name for column {header.index('') + 1}")
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise DataError(f"{name}: the header has two columns named '{twice[0]}'")
    return header
