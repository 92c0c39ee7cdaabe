# SPDX-License-Identifier: Apache-2.0
"""`python -m mlops.demo`: runs the demo, or the tour, in a laptop account and stops it; --keep leaves it running.

With --in-aws, runs the demo and checks some guarantees in the credentials' AWS account.
"""

from __future__ import annotations

import signal
import time

import click

from mlops.cli import account, laptop, show
from mlops.cli.app import ErrorHandlingCommand
from mlops.cli.connection import Connection
from mlops.cli.failures import Interrupted
from mlops.demo import in_aws, story, tour


@click.command(cls=ErrorHandlingCommand)
@click.option("--keep", is_flag=True, help="Keep the account running until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the account; 0 for any free port.")
@click.option(
    "--in-aws", "elsewhere", is_flag=True, help="Run in the credentials' AWS account. Requires `mlops install` first."
)
@click.option("--tour", "whole", is_flag=True, help="Run the tour of all pipeline types instead.")
@click.option("--yes", is_flag=True, help="With --in-aws: skip the confirmation prompt.")
@click.option(
    "--clean-up", is_flag=True, help="With --in-aws: finally delete both pipelines and the resources they deployed."
)
def demo(keep: bool, port: int, elsewhere: bool, whole: bool, yes: bool, clean_up: bool) -> None:
    """Train, serve and invoke a model on real data, in an AWS account on this computer."""
    signal.signal(signal.SIGTERM, laptop.interrupted)
    signal.signal(signal.SIGINT, laptop.interrupted)
    if not elsewhere and (yes or clean_up):
        raise click.UsageError("--yes and --clean-up require --in-aws.")
    if elsewhere and (keep or port or whole):
        raise click.UsageError("--keep, --port and --tour cannot be used with --in-aws.")
    try:
        if elsewhere:
            in_aws.run(Connection(), yes=yes, clean_up=clean_up)
        else:
            on_this_laptop(keep, port, whole)
    except laptop.Interrupted:
        raise Interrupted("Interrupted") from None


def on_this_laptop(keep: bool, port: int, whole: bool) -> None:
    began = time.monotonic()
    with (
        show.progress("starting an AWS account on this laptop") as progress,
        account.running(port, None, progress) as up,
    ):
        progress("")
        running, process = up
        if whole:
            tour.run(Connection())
        else:
            result = story.run(Connection())
            story.epilogue(result, "an AWS account on this laptop", running.assets_bucket)
        console = show.out()
        console.print("\nTo explore it:")
        again = "make tour KEEP=1" if whole else "make demo KEEP=1"
        console.print(f"   [cyan]{again}[/]   rerun it and keep the account running")
        console.print(
            "   [cyan]mlops local up[/]     start an empty account for mlops provision, status, run and invoke"
        )
        console.print(f"\n[dim]{time.monotonic() - began:.0f} seconds.[/]")
        if keep:
            laptop.print_summary(running, None)
            click.echo("\nPress Ctrl-C to stop the account.")
            laptop.serve(process)


if __name__ == "__main__":
    demo()
