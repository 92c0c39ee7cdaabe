# SPDX-License-Identifier: Apache-2.0
"""Rows of numbers in CSV and libsvm, read so that whatever is wrong with them is named by file and line.

The usual case is read at C speed; only when that fails are the lines walked one by one, to read empty cells
as missing values or to find the line that is wrong.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

Matrix: TypeAlias = npt.NDArray[np.float32]


class DataError(Exception):
    """The text is not what its content type says."""


# --- CSV ---------------------------------------------------------------------------------------------------


def delimiter_of(text: str) -> str:
    """What separates the cells of the first line; a comma unless that line says otherwise."""
    line = text.lstrip("\r\n").split("\n", 1)[0].strip("\r")
    if "," in line:
        return ","
    return next((candidate for candidate in "\t;| " if candidate in line.strip(" ")), ",")


def read_csv(text: str, name: str, delimiter: str) -> Matrix:
    """A matrix with one row a line; empty cells are missing values (NaN)."""
    if not text.strip():
        return np.empty((0, 0), np.float32)
    try:
        return np.loadtxt(io.StringIO(text), np.float32, comments=None, delimiter=delimiter, ndmin=2)
    except ValueError:
        return _read_csv_by_line(text, name, delimiter)


def _read_csv_by_line(text: str, name: str, delimiter: str) -> Matrix:
    rows: list[list[float]] = []
    first = 0
    for number, line in _lines(text):
        row = [
            _cell(cell, f"{name} line {number} column {column}") for column, cell in enumerate(line.split(delimiter), 1)
        ]
        if rows and len(row) != len(rows[0]):
            raise DataError(f"{name} line {number} has {len(row)} columns, and line {first} has {len(rows[0])}")
        first = first or number
        rows.append(row)
    return np.array(rows, np.float32)


def _cell(text: str, where: str) -> float:
    text = text.strip()
    if not text:
        return np.nan
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"{where}: '{text[:50]}' is not a number") from error


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


# --- libsvm ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sparse:
    """Lines `<label>[:<weight>] [qid:<group>] <index>:<value> ...` with indices from zero."""

    features: csr_matrix[np.float32]
    labels: Matrix
    weights: Matrix | None
    groups: npt.NDArray[np.int64] | None


def read_libsvm(texts: Sequence[tuple[str, str]], labelled: bool) -> Sparse:
    """One matrix of several (name, text). Rows to predict may come with a label or without one."""
    labels: list[float] = []
    weights: list[float] = []
    groups: list[int] = []
    values: list[float] = []
    columns: list[int] = []
    starts = [0]
    for name, text in texts:
        for number, line in _lines(text):
            items = line.split("#", 1)[0].split()
            if not items:
                continue
            where = f"{name} line {number}"
            if labelled or not _is_feature(items[0]):
                label, _, weight = items.pop(0).partition(":")
                labels.append(_cell(label, f"{where}, label"))
                if weight:
                    weights.append(_cell(weight, f"{where}, weight"))
            if items and items[0].startswith("qid:"):
                groups.append(int(_cell(items.pop(0)[4:], f"{where}, qid")))
            for item in items:
                index, value = _feature(item, where)
                columns.append(index)
                values.append(value)
            starts.append(len(columns))
    rows = len(starts) - 1
    for what, found in (("weight", weights), ("qid", groups)):
        if found and len(found) != rows:
            raise DataError(f"{len(found)} of {rows} rows have a {what}; all must have one, or none")
    width = max(columns, default=-1) + 1
    parts = (np.array(values, np.float32), np.array(columns, np.int64), np.array(starts, np.int64))
    features = csr_matrix(parts, shape=(rows, width))
    return Sparse(
        features,
        np.array(labels, np.float32),
        np.array(weights, np.float32) if weights else None,
        np.array(groups, np.int64) if groups else None,
    )


def widened(features: csr_matrix[np.float32], width: int) -> csr_matrix[np.float32]:
    """The same rows, with as many columns as a model or another channel has."""
    return csr_matrix((features.data, features.indices, features.indptr), shape=(features.shape[0], width))


def _is_feature(item: str) -> bool:
    """Whether the first item of a row to predict is a feature: then its line has no label."""
    return ":" in item


def _feature(item: str, where: str) -> tuple[int, float]:
    index, colon, value = item.partition(":")
    if not colon or not index.isdigit():
        raise DataError(
            f"{where}: '{item[:50]}' is not <index>:<value>; libsvm lines are "
            "<label> <index>:<value> <index>:<value> ... with indices from 0"
        )
    return int(index), _cell(value, f"{where}, index {index}")
