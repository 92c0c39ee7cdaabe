# SPDX-License-Identifier: Apache-2.0
"""mlops list: lists the pipelines, one page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.text import Text

from mlops.cli import show, table
from mlops.cli.connection import Connection
from mlops.cli.failures import Document
from mlops.cli.naming import LARGEST_PAGE

HEADINGS = ("NAME", "TYPE", "STATUS", "AGE", "LAST RUN")


@click.command(name="list", epilog="Example:  mlops list churn")
@click.argument("prefix", default="")
@click.option("--limit", type=click.IntRange(1, LARGEST_PAGE), help="Number of pipelines per page.  [default: 25]")
@click.option("--next", "after", default="", metavar="NAME", help="Start after this pipeline.")
@click.option("--all", "every", is_flag=True, help="Print all pages.")
@click.option("--names", is_flag=True, help="Print only the names, which is faster.")
@click.pass_obj
def list_pipelines(
    connection: Connection, prefix: str, limit: int | None, after: str, every: bool, names: bool
) -> None:
    """List pipelines, optionally filtered by name prefix.

    A page has 25 pipelines, sorted by name, with type, status, age and last run. PREFIX can omit the common beginning
    of all names, mlops-pipeline-.
    """
    size = str(limit or (LARGEST_PAGE if names else ""))
    rows: list[Document] = []
    following = ""
    for page in pages(connection, prefix, after, size, names):
        following = page.get("next", "")
        rows += page["pipelines"]
        if not every:
            break
        if not show.wants_json():
            show_rows(page["pipelines"], names)
    if show.wants_json():
        show.as_json({"pipelines": rows, **({"next": following} if following else {})})
        return
    if not every:
        show_rows(rows, names)
    if not rows:
        where = f" with a name that begins with {prefix!r}" if prefix else ""
        show.err().print(f"  No pipeline{where}.", markup=False)
    if following and not every:
        words = " ".join(filter(None, ["mlops list", prefix, f"--next {following}"]))
        show.err().print(f"  more: {words}", markup=False)


def pages(connection: Connection, prefix: str, after: str, limit: str, names_only: bool) -> Iterator[Document]:
    """The API's pages, each requested when needed."""
    while True:
        only = "true" if names_only else ""
        page = connection.call("GET", "pipelines", prefix=prefix, limit=limit, next=after, names_only=only)
        yield page
        after = page.get("next", "")
        if not after:
            return


def show_rows(rows: list[Document], names: bool) -> None:
    if names:
        for row in rows:
            click.echo(row["name"])
    elif rows:
        table.write(HEADINGS, [cells(row) for row in rows])


def cells(row: Document) -> list[Text | str]:
    return [
        Text.assemble(show.mark(row["status"]), " ", row["name"]),
        Text(row["pipeline_type"] or "", style="dim"),
        show.status(row["status"]),
        Text(table.ago(row["created"])),
        Text(last_run(row.get("last_run"))),
    ]


def last_run(run: dict[str, Any] | None) -> str:
    """`succeeded 3 h ago`"""
    if not run:
        return "never"
    return (
        f"{show.spaced(run['status'])} {table.ago(run['started'])} ago"
        if run["started"]
        else show.spaced(run["status"])
    )
