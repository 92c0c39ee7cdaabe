# SPDX-License-Identifier: Apache-2.0
"""`python -m mlops.docs`: renews the generated parts of docs/architecture.md."""

from __future__ import annotations

from pathlib import Path

import click

from mlops.docs.decisions import decisions_table
from mlops.docs.pages import renewed
from mlops.docs.phases import phases_table


@click.command()
@click.option("--docs", type=click.Path(exists=True, path_type=Path), default="docs", show_default=True)
def main(docs: Path) -> None:
    """Renew what the documentation repeats from the orchestrator's code."""
    page = docs / "architecture.md"
    text = renewed(page.read_text("utf-8"), "phases", phases_table())
    page.write_text(renewed(text, "decisions", decisions_table()), "utf-8")


if __name__ == "__main__":
    main()
