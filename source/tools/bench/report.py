# SPDX-License-Identifier: Apache-2.0
"""The report of the measures: a table on the terminal, docs/performance.md and docs/performance.json."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench.measures import Goal, Measure, Samples

_HEAD = ("measure", "value", "reference", "ratio", "goal", "met")
_INTRODUCTION = """# Performance

`make bench` generates this page and [performance.json](performance.json).

Each value and its reference are measured in turn in the same run. Values are medians; brackets contain the middle
half of the samples. The orchestrator is the built zip, run with Lambda's runtime client in processes without access to
other packages. *Bare boto3* is a function with three clients (S3, CloudFormation, CodePipeline) that makes the same
three calls as a new pipeline. AWS is a server on the same machine, so the times do not include network latency.

Goals with a ratio were set on another machine. The ratio is the goal divided by the time of bare boto3 on that
machine; it determines whether the goal is met, on any machine and under any load.
"""


def machine() -> dict[str, Any]:
    """A description of the machine, to interpret the numbers."""
    return {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}


def write(measures: Sequence[Measure], folder: Path) -> None:
    """Write both files."""
    document = {"machine": machine(), "measures": [measure.document() for measure in measures]}
    (folder / "performance.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (folder / "performance.md").write_text(_markdown(measures), "utf-8")


def show(measures: Sequence[Measure]) -> None:
    table = Table(title=_summary(measures), title_justify="left")
    for name in _HEAD:
        table.add_column(name, overflow="fold")
    for group, members in _grouped(measures):
        table.add_section()
        table.add_row(f"[bold]{group}[/]")
        for measure in members:
            style = {True: "green", False: "red", None: ""}[measure.met]
            *cells, met = _cells(measure)
            table.add_row(*cells, f"[{style}]{met}[/]" if style else met)
    Console().print(table)


def _markdown(measures: Sequence[Measure]) -> str:
    about = machine()
    parts = [_INTRODUCTION, f"{_summary(measures)} Measured on {about['cores']} cores with Python {about['python']}.\n"]
    for group, members in _grouped(measures):
        rows = [_HEAD, ("---",) * len(_HEAD), *map(_cells, members)]
        parts.append(f"## {group}\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows))
    return "\n".join(parts)


def _summary(measures: Sequence[Measure]) -> str:
    judged = [measure.met for measure in measures if measure.goal]
    return f"{sum(map(bool, judged))} of {len(judged)} goals met."


def _grouped(measures: Iterable[Measure]) -> Iterable[tuple[str, list[Measure]]]:
    groups: dict[str, list[Measure]] = {}
    for measure in measures:
        groups.setdefault(measure.group, []).append(measure)
    return groups.items()


def _cells(measure: Measure) -> tuple[str, ...]:
    reference = f"{_amount(measure.reference.median, measure.unit)}, {measure.against}" if measure.reference else ""
    ratio = f"{measure.ratio:.2f}" if measure.ratio is not None else ""
    met = {True: "yes", False: "no", None: ""}[measure.met]
    return (
        measure.what,
        _samples(measure.ours, measure.unit),
        reference,
        ratio,
        _goal(measure.goal, measure.unit) if measure.goal else "",
        met,
    )


def _goal(goal: Goal, unit: str) -> str:
    at_most = f"≤ {_amount(goal.at_most, unit)}"
    return f"{at_most} (ratio {goal.ratio:.2f})" if goal.ratio is not None else at_most


def _samples(samples: Samples, unit: str) -> str:
    middle = _amount(samples.median, unit)
    low, high = (_amount(one, unit) for one in samples.spread)
    return middle if low == high else f"{middle} ({low} to {high})"


def _amount(value: float, unit: str) -> str:
    if unit == "s":
        for size, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if value >= size:
                return f"{value / size:.3g} {name}"
    if unit == "B":
        return f"{value / 1e6:.3g} MB" if value >= 1e6 else f"{value / 1e3:.3g} KB"
    return f"{value:.3g}"
