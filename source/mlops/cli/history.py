# SPDX-License-Identifier: Apache-2.0
"""mlops history: the runs of a pipeline."""

from __future__ import annotations

from datetime import datetime

import click
from rich.text import Text

from mlops.cli import managing, naming, show, table, view
from mlops.cli.connection import Connection
from mlops.cli.failures import Document

HEADINGS = ("STARTED", "STATUS", "TIME", "JOB", "RUN")


@click.command(epilog="Example:  mlops history churn")
@naming.argument
@click.option("--limit", type=click.IntRange(1, 50), help="Number of runs.  [default: 10]")
@click.option("--next", "after", default="", metavar="TOKEN", help="Continue after the previous page.")
@click.pass_obj
def history(connection: Connection, name: str, limit: int | None, after: str) -> None:
    """List a pipeline's runs, newest first.

    Each run shows its status, its job with final metrics and artifact, or the failure reason.
    """
    page = managing.call_by_name(connection, "GET", name, "/runs", limit=str(limit or ""), next=after)
    if show.wants_json():
        show.as_json(page)
        return
    if page["runs"]:
        table.write(HEADINGS, [cells(run) for run in page["runs"]], below=[details(run) for run in page["runs"]])
    else:
        show.err().print(f"  {page['name']} has not run yet.", markup=False)
    if page.get("next"):
        show.err().print(f"  more: mlops history {page['name']} --next {page['next']}", markup=False)


def cells(run: Document) -> list[Text | str]:
    job = run.get("job") or {}
    return [
        Text.assemble(show.mark(run["status"]), " ", view.moment(run["started"])),
        show.status(run["status"]),
        Text(duration(run["started"], run["ended"])),
        Text(job.get("name", "")),
        Text(run["id"], style="dim"),
    ]


def details(run: Document) -> list[Text]:
    """A run's best job, metrics and artifact, or its failure reason, on separate lines that are never truncated."""
    facts = view.job_facts(run.get("job") or {})
    lines = [
        Text.assemble((f"    {key:<8}  ", "dim"), facts[key]) for key in ("best", "metrics", "artifact") if key in facts
    ]
    return [*lines, *([Text.assemble(("    Reason:   ", "red"), run["reason"])] if run["reason"] else [])]


def duration(started: str | None, ended: str | None) -> str:
    """How long a run took, or has been running: `4 min`."""
    return table.ago(started, datetime.fromisoformat(ended) if ended else None)
