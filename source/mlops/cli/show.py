# SPDX-License-Identifier: Apache-2.0
"""What people see: colours on a terminal, plain lines elsewhere. Answers on stdout, the rest on stderr."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

STYLES = {
    "Succeeded": ("✓", "green"),
    "Failed": ("✗", "red"),
    "Stopped": ("■", "red"),
    "InProgress": ("●", "cyan"),
    "Running": ("●", "cyan"),
    "Creating": ("●", "cyan"),
    "Updating": ("●", "cyan"),
    "Deleting": ("●", "yellow"),
    "WaitingForApproval": ("?", "yellow"),
}
WAITING = ("·", "dim")
WORTH_WRAPPING = 24  # columns


def out() -> Console:
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def wants_json() -> bool:
    """Whether the command was given --json."""
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get("as_json"))


def as_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, default=str))


def failure(message: str, problems: Sequence[Mapping[str, Any]], hint: str = "", note: str = "") -> None:
    """Red for what is wrong, each problem with its path, then what to do."""
    console = err()
    console.print(f"[bold red]✗[/] [bold]{escape(message)}[/]")
    for problem in problems:
        path = f"{problem['path']}  " if problem.get("path") else ""
        console.print(Text.assemble("  ", (path, "cyan"), str(problem.get("problem", ""))))
        if problem.get("hint"):
            console.print(Text.assemble("      ", ("→ ", "green"), str(problem["hint"])))
    for extra, style in ((hint, ""), (note, "dim")):
        if extra:
            console.print(Text(f"  {extra}", style=style))


def success(message: str, found: Mapping[str, Any] | None = None) -> None:
    out().print(f"[bold green]✓[/] {escape(message)}")
    facts(found or {})


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns, of which only the last is wrapped, and only on a terminal with room for it. Nothing is cut."""
    cells = [[str(cell) for cell in row] for row in ([header, *rows] if header else rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)][:-1]
    indent = sum(widths) + 2 * len(widths)
    console = out()
    room = console.width - indent if console.is_terminal else 0
    for number, (*columns, last) in enumerate(cells):
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(columns, widths, strict=True))
        folded = (
            textwrap.wrap(last, room, break_long_words=False, break_on_hyphens=False)
            if room >= WORTH_WRAPPING
            else [last]
        )
        for line in folded or [""]:
            console.print(Text((start + line).rstrip(), style="bold" if header and not number else ""))
            start = " " * indent


def facts(found: Mapping[str, Any]) -> None:
    """Names and values, a line each, never cut or folded: values are there to be copied."""
    width = max(map(len, found), default=0)
    for name, value in found.items():
        out().print(Text.assemble((f"  {name:<{width}}  ", "dim"), str(value)))


def warnings(found: Sequence[Mapping[str, Any]]) -> None:
    for warning in found:
        hint = f" ({warning['hint']})" if warning.get("hint") else ""
        path = f"{warning.get('path', '')}  "
        err().print(Text.assemble(("! ", "yellow"), (path, "cyan"), f"{warning['problem']}{hint}"))


@contextmanager
def progress(begin: str) -> Iterator[Callable[[str], None]]:
    """A spinner that says what is going on; plain lines where there is no terminal. Empty text ends it."""
    console = err()
    if not console.is_terminal:
        told: list[str] = []

        def tell_line(text: str) -> None:
            step = text.split(":")[0]  # details are for the eye
            if step and step not in told:
                told.append(step)
                console.print(step, markup=False)

        yield tell_line
        return
    with console.status(begin) as spinner:

        def tell(text: str) -> None:
            if text:
                spinner.update(escape(text))
            else:
                spinner.stop()

        yield tell


def pipeline(document: Mapping[str, Any], *, live: bool = False) -> RenderableType:
    """A pipeline's status: its stages and actions, what runs, and why it failed."""
    found = document["pipeline"]
    glyph, style = STYLES.get(found["status"], WAITING)
    title = Text.assemble((f"{glyph} ", style), (found["name"], "bold"), "  ", (spaced(found["status"]), style))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    for stage in stages_now(found):
        state = stage.get("status")
        grid.add_row(mark(state, live), Text(stage["name"], style="bold"), status(state), "")
        for action in stage.get("actions", []):
            grid.add_row("", Text(f"  {action['name']}"), status(shown(action)), Text(detail(action), style="dim"))
    rows: list[RenderableType] = [title, Padding(grid, (0, 0, 0, 2))]
    if job := found.get("job"):
        rows.append(Text(f"  {job['kind']} {job['name']}: {job['status']} {job.get('progress') or ''}".rstrip()))
    if found["status"] == "WaitingForApproval":
        rows.append(Text("  approve it in the console, or with aws codepipeline put-approval-result", "yellow"))
    if found.get("reason"):
        rows.append(Text.assemble(("  why: ", "red"), str(found["reason"])))
    return Group(*rows)


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """The same, one fact a line: for logs, where only what changed is printed."""
    found = document["pipeline"]
    yield f"{found['name']}: {spaced(found['status'])}"
    for stage in stages_now(found):
        for action in stage.get("actions", []):
            if state := shown(action):
                yield f"  {stage['name']} / {action['name']}: {spaced(state)}"
    if job := found.get("job"):
        yield f"  {job['kind']} {job['name']}: {job['status']} {job.get('progress') or ''}".rstrip()
    if found.get("reason"):
        yield f"  why: {found['reason']}"


def stages_now(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The stages, without what is left there of the run before: this run hasn't come to them yet."""
    stages = found.get("stages", [])
    latest = stages[0].get("execution") if stages else None
    return [
        stage
        if stage.get("execution") in (None, latest) or stage.get("status") == "InProgress"
        else {"name": stage["name"], "actions": [{"name": action["name"]} for action in stage["actions"]]}
        for stage in stages
    ]


def mark(state: str | None, live: bool) -> RenderableType:
    glyph, style = STYLES.get(state or "", WAITING)
    if live and style == "cyan":
        return Spinner("dots", style=style)
    return Text(glyph, style=style)


def status(state: str | None) -> Text:
    return Text(spaced(state or ""), style=STYLES.get(state or "", WAITING)[1])


def spaced(state: str) -> str:
    """WaitingForApproval -> waiting for approval"""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in state).strip()


def shown(action: Mapping[str, Any]) -> str | None:
    """An action's status; one that waits for a person is in progress to CodePipeline."""
    return "WaitingForApproval" if action.get("waiting") else action.get("status")


def detail(action: Mapping[str, Any]) -> str:
    """How long an action has been running, or what a failed one says."""
    if action.get("status") == "Failed":
        return str(action.get("message") or "")
    if action.get("status") != "InProgress" or not action.get("changed"):
        return ""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(str(action["changed"]))).total_seconds()
    return f"{max(0, seconds):.0f} s"
