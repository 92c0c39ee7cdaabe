# SPDX-License-Identifier: Apache-2.0
"""`python -m mlops.lint --blueprints blueprints --out DIR`"""

from pathlib import Path

import click

from mlops.deploy.errors import DeployError
from mlops.lint.checks import problems
from mlops.source_tree import PERMISSIONS
from mlops.templates import BlueprintError, compile_catalog


@click.command()
@click.option(
    "--blueprints",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default="blueprints",
    show_default=True,
    help="The folder of blueprint folders.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where the catalog goes.")
def main(blueprints: Path, out: Path) -> None:
    """Compile blueprint folders into a catalog of plain CloudFormation and schemas, and check them."""
    try:
        written = compile_catalog(blueprints, out)
        found = problems(blueprints, out, PERMISSIONS)
    except (BlueprintError, DeployError) as error:
        raise click.ClickException(str(error)) from error
    for path in written:
        click.echo(path)
    if found:
        raise click.ClickException("\n".join([f"{len(found)} problems:" if len(found) > 1 else "1 problem:", *found]))


if __name__ == "__main__":
    main()
