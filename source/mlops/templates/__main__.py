# SPDX-License-Identifier: Apache-2.0
"""`python -m mlops.templates --blueprints blueprints --out DIR`"""

from pathlib import Path

import click

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
    """Compile blueprint folders into a catalog of plain CloudFormation templates, schemas and validators."""
    try:
        written = compile_catalog(blueprints, out)
    except BlueprintError as error:
        raise click.ClickException(str(error)) from error
    for path in written:
        click.echo(path)


main()
