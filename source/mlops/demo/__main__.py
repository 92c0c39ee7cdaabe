# SPDX-License-Identifier: Apache-2.0
"""`python -m mlops.demo`: an account on this laptop, the story in it, and the end; with --keep it stays up."""

from __future__ import annotations

import signal
import time

import click

from mlops.cli import account, laptop, show
from mlops.cli.app import Guarded
from mlops.cli.failures import Failure
from mlops.demo import story


@click.command(cls=Guarded)
@click.option("--keep", is_flag=True, help="Leave the account up until Ctrl-C, to look around.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the account; 0 takes a free one.")
def demo(keep: bool, port: int) -> None:
    """One request becomes a running pipeline, with a real model on real data, in an AWS account on this laptop."""
    signal.signal(signal.SIGTERM, laptop.interrupted)
    signal.signal(signal.SIGINT, laptop.interrupted)
    began = time.monotonic()
    try:
        with show.progress("starting an AWS account on this laptop") as tell, account.running(port, None, tell) as up:
            tell("")
            running, process = up
            story.tell(running)
            show.out().print(f"\n[dim]{time.monotonic() - began:.0f} seconds.[/]")
            if keep:
                laptop.introduce(running, None)
                click.echo("\nCtrl-C ends it.")
                laptop.serve(process)
    except laptop.Interrupted:
        raise Failure("Interrupted") from None


if __name__ == "__main__":
    demo()
