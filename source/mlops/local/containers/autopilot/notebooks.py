# SPDX-License-Identifier: Apache-2.0
"""The two notebooks of an Autopilot job: what is in the data, and which candidates there are."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlops.local.containers.autopilot import DEFINITIONS, EXPLORATION
from mlops.local.containers.autopilot.algorithms import ALGORITHMS
from mlops.local.containers.autopilot.candidates import Candidate
from mlops.local.containers.autopilot.columns import Column
from mlops.local.containers.autopilot.data import Data


def write(folder: Path, data: Data, objective: str, candidates: Sequence[Candidate]) -> None:
    """Write both notebooks into a folder that isn't there yet."""
    folder.mkdir(parents=True)
    for name, cells in ((EXPLORATION, _exploration(data)), (DEFINITIONS, _definitions(data, objective, candidates))):
        (folder / name).write_text(json.dumps(_notebook(cells), indent=1), "utf-8")


def _exploration(data: Data) -> list[tuple[str, str]]:
    notes = "\n".join(f"- {note}" for note in data.notes)
    return [
        ("markdown", f"# Data exploration\n\n{len(data.rows):,} rows, {len(data.columns)} columns beside the target."),
        ("markdown", f"## Target: {_cell(data.target_name)}\n\n{data.problem.kind}\n\n{_target(data)}"),
        ("markdown", f"## Columns\n\n{_columns(data.columns)}"),
        *([("markdown", f"## Left out\n\n{notes}")] if notes else []),
    ]


def _target(data: Data) -> str:
    if data.problem.is_classification:
        counted = Counter(data.target.astype(int).tolist())
        rows = [[_cell(label), f"{counted[number]:,}"] for number, label in enumerate(data.problem.labels)]
        return _table(["class", "rows"], rows)
    quartiles = np.quantile(data.target, [0, 0.25, 0.5, 0.75, 1]).tolist()
    names = ["minimum", "first quartile", "median", "third quartile", "maximum", "mean"]
    return _table(names, [[_number(value) for value in [*quartiles, float(data.target.mean())]]])


def _columns(columns: Sequence[Column]) -> str:
    header = ["column", "used as", "distinct", "missing", "minimum", "mean", "maximum", "most frequent", "note"]
    rows = [
        [
            _cell(one.name),
            one.kind,
            f"{one.distinct:,}",
            f"{one.missing:.1%}",
            *(_number(value) for value in (one.low, one.mean, one.high)),
            ", ".join(f"{_cell(value)} ({rows:,})" for value, rows in one.top[:3]),
            one.note,
        ]
        for one in columns
    ]
    return _table(header, rows)


def _definitions(data: Data, objective: str, candidates: Sequence[Candidate]) -> list[tuple[str, str]]:
    used = Counter(column.kind for column in data.columns)
    measured = (
        f"{len(data.splits)}-fold cross-validation (seed {data.seed}); the model is then fitted to all rows"
        if data.folded
        else f"{len(data.splits[0][1]):,} rows that are held out; the model is fitted to the other ones"
    )
    defined = [
        {"name": one.name, "algorithm": one.algorithm, "hyperparameters": dict(one.hyperparameters)}
        for one in candidates
    ]
    summaries = [
        f"- `{name}`: {ALGORITHMS[name].summary}"
        for name in dict.fromkeys(one.algorithm for one in candidates)
        if name in ALGORITHMS
    ]
    return [
        (
            "markdown",
            f"# Candidate definitions\n\n{data.problem.kind} of {_cell(data.target_name)}, objective {objective}.\n\n"
            f"Each candidate is measured by {measured}.",
        ),
        (
            "markdown",
            "## Preprocessing\n\nFitted to the training rows of each fold:\n\n"
            f"- numeric columns ({used['numeric']}): median for missing cells, an indicator of them, standardised\n"
            f"- categorical columns ({used['categorical']}): one-hot; rare and unseen categories share one\n"
            f"- text columns ({used['text']}): TF-IDF, reduced by truncated SVD\n"
            f"- datetime columns ({used['datetime']}): year, month, day, weekday, hour and the time as such\n"
            f"- unused columns ({used['unused']})",
        ),
        ("markdown", "## Algorithms\n\n" + "\n".join(summaries)),
        ("code", "candidates = " + _python(defined)),
    ]


def _python(value: Any) -> str:
    """JSON that is Python, too: there is neither true nor null in it."""
    return json.dumps(value, indent=4)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:,.6g}"


def _cell(text: str) -> str:
    """Text of the data inside a table."""
    shown = text if len(text) <= 40 else text[:39] + "…"
    return "`" + shown.replace("`", "'").replace("|", "\\|").replace("\n", " ") + "`"


def _notebook(cells: Sequence[tuple[str, str]]) -> dict[str, Any]:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "cells": [_document(number, kind, text) for number, (kind, text) in enumerate(cells, 1)],
    }


def _document(number: int, kind: str, text: str) -> dict[str, Any]:
    own: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"id": f"cell-{number}", "cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True), **own}
