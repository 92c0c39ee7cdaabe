# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.docs`: renews the generated parts of the pages in docs/."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
from mlops.deploy.errors import DeployError
from mlops.templates import BlueprintError

from tools.docs import generated
from tools.docs.pages import PageError, renewed


@click.command()
@click.option("--root", type=click.Path(exists=True, path_type=Path), default=".", show_default=True)
def main(root: Path) -> None:
    """Renew what the documentation repeats from the code."""
    try:
        for name, parts in generated(root).items():
            _renew(root / "docs" / name, parts)
    except (BlueprintError, DeployError, PageError) as error:
        raise click.ClickException(" ".join(str(error).split())) from error


def _renew(page: Path, parts: Mapping[str, str]) -> None:
    if not page.exists():
        raise PageError(f"docs/{page.name} is missing")
    text = page.read_text("utf-8")
    try:
        for part, content in parts.items():
            text = renewed(text, part, content)
    except PageError as error:
        raise PageError(f"docs/{page.name}: {error}") from error
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
