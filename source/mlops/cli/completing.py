# SPDX-License-Identifier: Apache-2.0
"""mlops completion: the shell completion scripts."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(epilog='Example:  eval "$(mlops completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a shell completion script.

    Evaluate it in the start-up file of SHELL.
    """
    complete = get_completion_class(shell)
    assert complete
    click.echo(complete(context.find_root().command, {}, "mlops", "_MLOPS_COMPLETE").source())
