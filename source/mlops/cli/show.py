# SPDX-License-Identifier: Apache-2.0
"""Output: colours on a terminal, plain lines elsewhere. Results on stdout, everything else on stderr."""

from __future__ import annotations

import codecs
import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Protocol

import click
from rich.console import Console, Group
from rich.markup import escape
from rich.status import Status
from rich.text import Text

MARKS = {
    "Succeeded": ("✓", "green"),
    "Completed": ("✓", "green"),
    "Failed": ("✗", "red"),
    "Stopped": ("■", "red"),
    "InProgress": ("●", "cyan"),
    "Running": ("●", "cyan"),
    "Creating": ("●", "cyan"),
    "Updating": ("●", "cyan"),
    "Deleting": ("●", "yellow"),
    "WaitingForApproval": ("?", "yellow"),
}
NO_MARK = ("·", "dim")
IN_ASCII = {"✓": "+", "✗": "x", "■": "#", "●": "*", "·": "-", "→": "->", "…": "..."}


def out() -> Console:
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def write_in_any_encoding() -> None:
    """If a stream's encoding lacks a character, replace it by an ASCII character."""
    codecs.register_error("in_ascii", in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="in_ascii")


def in_ascii(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(IN_ASCII.get(one, "?") for one in error.object[error.start : error.end]), error.end


def wants_json() -> bool:
    """Whether the command was given --json."""
    context = click.get_current_context(silent=True)
    return bool(context and context.find_root().params.get("as_json"))


def as_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, default=str))


def json_line(document: Any) -> None:
    """A JSON document on one line, for commands that print several."""
    click.echo(json.dumps(document, default=str))


def failure(message: str, problems: Sequence[Mapping[str, Any]], hint: str = "", note: str = "") -> None:
    """An error message, each problem with its path, then the hint."""
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


def facts(found: Mapping[str, Any]) -> None:
    """Names and values, one per line, never truncated or wrapped, so that values can be copied."""
    width = max(map(len, found), default=0)
    for name, value in found.items():
        out().print(Text.assemble((f"  {name:<{width}}  ", "dim"), str(value)))


def warnings(found: Sequence[Mapping[str, Any]]) -> None:
    for warning in found:
        hint = f" ({warning['hint']})" if warning.get("hint") else ""
        path = f"{warning.get('path', '')}  "
        err().print(Text.assemble(("! ", "yellow"), (path, "cyan"), f"{warning['problem']}{hint}"))


class Progress(Protocol):
    """Reports the current step; an empty step ends the report."""

    def __call__(self, step: str, detail: str = "") -> None: ...


@contextmanager
def progress(begin: str) -> Iterator[Progress]:
    """A spinner with the current step and its detail; without a terminal, a line for each step."""
    console = err()
    if not console.is_terminal:
        printed: set[str] = set()

        def print_step(step: str, detail: str = "") -> None:
            if step and step not in printed:
                printed.add(step)
                console.print(step, markup=False)

        yield print_step
        return
    with console.status(begin) as spinner:

        def update(step: str, detail: str = "") -> None:
            if step:
                spinner.update(escape(f"{step}: {detail}" if detail else step))
            else:
                spinner.stop()

        yield update


class Activity:
    """Progress output: permanent lines, each printed once, and on a terminal a spinner below them."""

    def __init__(self, console: Console, spinner: Status | None = None) -> None:
        self._console, self._spinner = console, spinner
        self._printed: set[str] = set()

    @property
    def has_spinner(self) -> bool:
        return self._spinner is not None

    def now(self, text: str) -> None:
        if self._spinner:
            self._spinner.update(Text(text))

    def line(self, *parts: str | tuple[str, str] | Text) -> None:
        # `soft_wrap=True` would disable wrapping for the spinner, too
        text = Text.assemble(*parts, no_wrap=True, overflow="ignore")
        if text.plain not in self._printed:
            self._printed.add(text.plain)
            self._console.print(Group(text), crop=False)  # a Text alone would lose its wrapping options


@contextmanager
def activity(begin: str) -> Iterator[Activity]:
    """On stderr; without a terminal there is no spinner, even with FORCE_COLOR."""
    console = Console(stderr=True, highlight=False)  # wraps the spinner's text; soft_wrap would truncate it
    if console.is_terminal and console.file.isatty():
        with console.status(Text(begin)) as spinner:
            yield Activity(console, spinner)
    else:
        yield Activity(console)


def mark(state: str | None) -> Text:
    return Text(*MARKS.get(state or "", NO_MARK))


def status(state: str | None) -> Text:
    return Text(spaced(state or ""), style=MARKS.get(state or "", NO_MARK)[1])


def path(path: Path) -> str:
    """A path as it is typed in the current folder."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def spaced(state: str) -> str:
    """WaitingForApproval -> waiting for approval"""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in state).strip()
