# SPDX-License-Identifier: Apache-2.0
"""Names of pipelines on the command line: the beginning of a name is enough where one pipeline matches."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

import click
from botocore.exceptions import BotoCoreError, ClientError
from click.shell_completion import CompletionItem

from mlops.cli.connection import Connection
from mlops.cli.failures import ApiError, Failure, NoSuchPipeline

LARGEST_PAGE = 100  # that the API lists
SHOWN = 5
Result = TypeVar("Result")


def names(connection: Connection, prefix: str) -> list[str]:
    """At most 100 names that begin with a prefix, which may leave out what all names begin with."""
    page = connection.call("GET", "pipelines", prefix=prefix, limit=str(LARGEST_PAGE), names_only="true")
    return [row["name"] for row in page["pipelines"]]


def with_full_name(connection: Connection, given: str, call: Callable[[str], Result]) -> Result:
    """Call with a pipeline's name; if there is no such pipeline, with the one name that begins so.

    A whole name takes no other request. Raises what `call` raises, and Failure where several pipelines match.
    """
    try:
        return call(given)
    except (ApiError, NoSuchPipeline) as error:
        if isinstance(error, ApiError) and error.status != HTTPStatus.NOT_FOUND:
            raise
        name = name_matching(connection, given)
        if name is None:
            raise
    return call(name)


def name_matching(connection: Connection, given: str) -> str | None:
    """The one pipeline whose name begins so; None where there is none, or where the names cannot be listed."""
    try:
        found = names(connection, given)
    except (ApiError, BotoCoreError, ClientError):
        return None
    if len(found) > 1:
        more = ", …" if len(found) > SHOWN else ""
        raise Failure(f"{given!r} matches {counted(found)} pipelines", f"{', '.join(found[:SHOWN])}{more}")
    return found[0] if found else None


def counted(found: list[str]) -> str:
    return f"{LARGEST_PAGE} or more" if len(found) == LARGEST_PAGE else str(len(found))


def complete(context: click.Context, argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names for a shell's completion. What goes wrong completes nothing: a message would land in the command line."""
    given: dict[str, Any] = context.find_root().params
    connection = Connection(
        given["profile"], given["region"], given["endpoint_url"], given["stack_name"], given["api_url"]
    )
    try:
        return [CompletionItem(name) for name in names(connection, incomplete)]
    except (Failure, BotoCoreError, ClientError):
        return []


argument = click.argument("name", shell_complete=complete)
