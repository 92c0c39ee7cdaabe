# SPDX-License-Identifier: Apache-2.0
"""`python -m mlops.docs`: renews the generated parts of the pages in docs/."""

from __future__ import annotations

from pathlib import Path

import click

from mlops.docs import generated
from mlops.docs.pages import renewed


@click.command()
@click.option("--root", type=click.Path(exists=True, path_type=Path), default=".", show_default=True)
def main(root: Path) -> None:
    """Renew what the documentation repeats from the code."""
    for name, parts in generated(root).items():
        page = root / "docs" / name
        text = page.read_text("utf-8")
        for part, content in parts.items():
            text = renewed(text, part, content)
        page.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
