# SPDX-License-Identifier: Apache-2.0
"""The command group and its global options. Converts every error to a message and an exit code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from traceback import walk_tb
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from click.exceptions import NoArgsIsHelpError

from mlops import process
from mlops.cli import (
    completing,
    endpoints,
    history,
    installing,
    laptop,
    listing,
    local_accounts,
    logs,
    managing,
    models,
    pipelines,
    reference,
    show,
)
from mlops.cli.connection import Connection
from mlops.cli.failures import WRONG_ENDPOINT, Failure, Interrupted, UsageFailure, failure_from_aws
from mlops.defaults import STACK_NAME
from mlops.deploy.errors import DeployError
from mlops.local.settings import PORT
from mlops.templates import BlueprintError

EXAMPLE_URL = f"http://127.0.0.1:{PORT}"


class ErrorHandlingCommand(click.Command):
    """A command that prints errors as messages. With --debug, unexpected errors are tracebacks."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        if args is None:  # called as a process, not by a test
            process.use_utf8()
        process.bypass_proxies()
        return super().main(args, *more, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        as_json = ctx.params.get("as_json", False)
        try:
            return super().invoke(ctx)
        except Failure as failure:
            failure.as_json = as_json
            raise
        except KeyboardInterrupt as interrupt:
            raise with_json(Interrupted("Interrupted"), as_json) from interrupt
        except click.UsageError as error:
            if not as_json or isinstance(error, NoArgsIsHelpError):
                raise
            raise with_json(UsageFailure(error), as_json) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click exits silently if the reader of a pipe has ended
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            raise with_json(failure_of(error), as_json) from error


def with_json(failure: Failure, as_json: bool) -> Failure:
    failure.as_json = as_json
    return failure


class Commands(ErrorHandlingCommand, click.Group):
    """The group. Its options can be placed before or after the command."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        as_json = "--json" in args[: args.index("--")] if "--" in args else "--json" in args
        try:
            return super().make_context(info_name, args, *more, **extra)
        except click.UsageError as error:
            if not as_json or isinstance(error, NoArgsIsHelpError):
                raise
            raise with_json(UsageFailure(error), as_json) from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self.globals_first(args))

    def globals_first(self, args: list[str]) -> list[str]:
        """Move global options to the front. Like the AWS CLI, mlops accepts them anywhere: `mlops list --json`."""
        takes_value = {
            name: not option.is_flag
            for option in self.params
            if isinstance(option, click.Option) and not option.is_eager
            for name in option.opts
        }
        ours: list[str] = []
        rest: list[str] = []
        waiting = iter(args)
        for argument in waiting:
            if argument == "--":
                rest += [argument, *waiting]
            elif argument.split("=", 1)[0] not in takes_value:
                rest.append(argument)
            elif "=" in argument or not takes_value[argument]:
                ours.append(argument)
            else:
                ours += [argument, *(value for value in [next(waiting, None)] if value is not None)]
        return ours + rest


def validate_url(context: click.Context, option: click.Parameter, given: str | None) -> str | None:
    if given and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", given):
        raise click.BadParameter(f"{given!r} is not a URL, for example {EXAMPLE_URL}", context, option)
    return given


def came_from_parsing(error: Exception) -> bool:
    """Whether botocore failed to parse a response. HTML instead of XML raises a KeyError."""
    modules = {frame.f_globals.get("__name__") for frame, _ in walk_tb(error.__traceback__)}
    return bool(modules & {"botocore.parsers", "botocore.client"})


def failure_of(error: Exception) -> Failure:
    match error:
        case BotoCoreError() | ClientError():
            return failure_from_aws(error)
        case ResponseParserError() | KeyError() if came_from_parsing(error):
            return Failure("The endpoint's response is not an AWS response", WRONG_ENDPOINT)
        case DeployError() | BlueprintError() | OSError():
            return Failure(str(error))
        case ValueError() if str(error).startswith("Invalid endpoint"):
            hint = f"set AWS_ENDPOINT_URL, or endpoint_url in the profile, to a URL, for example {EXAMPLE_URL}"
            return Failure(str(error), hint)
        case _:
            return Failure(f"{type(error).__name__}: {error}", "this is a bug in mlops; --debug prints a traceback")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None},
    epilog="To start an AWS account on this computer, with the orchestrator installed:  mlops local up",
)
@click.option("--json", "as_json", is_flag=True, help="Output JSON.")
@click.option("--profile", help="AWS profile name.  [env var: AWS_PROFILE]")
@click.option("--region", help="AWS Region.  [env var: AWS_REGION]")
@click.option(
    "--endpoint-url",
    callback=validate_url,
    help="AWS endpoint URL, for example of the laptop account.  [env var: AWS_ENDPOINT_URL]",
)
@click.option(
    "--stack-name",
    default=STACK_NAME,
    show_default=True,
    envvar="MLOPS_STACK_NAME",
    show_envvar=True,
    help="Name of the main stack.",
)
@click.option(
    "--api-url",
    envvar="MLOPS_API_URL",
    show_envvar=True,
    callback=validate_url,
    help="URL of the API. By default, the main stack's output ApiUrl.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(package_name="mlops-orchestrator", prog_name="mlops")
@click.pass_context
def main(
    ctx: click.Context,
    as_json: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    stack_name: str,
    api_url: str | None,
    debug: bool,
) -> None:
    """Create and manage machine-learning pipelines on AWS, or in an AWS account on this computer."""
    show.write_in_any_encoding()
    ctx.obj = Connection(profile, region, endpoint_url, stack_name, api_url)


@main.group()
def local() -> None:
    """Run an AWS account on this computer."""


for command in (laptop.up, local_accounts.env, local_accounts.status, local_accounts.down, local_accounts.reset):
    local.add_command(command)
for command in (
    installing.install,
    pipelines.provision,
    pipelines.status,
    pipelines.run,
    pipelines.validate,
    listing.list_pipelines,
    history.history,
    logs.logs,
    managing.stop,
    managing.delete,
    endpoints.invoke,
    models.models,
    reference.types,
    reference.explain,
    reference.init,
    completing.completion,
):
    main.add_command(command)
