# SPDX-License-Identifier: Apache-2.0
"""Pipeline names on the command line: a prefix is enough if it matches one pipeline."""

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
    """At most 100 names that begin with a prefix; the part that all names begin with can be omitted."""
    page = connection.call("GET", "pipelines", prefix=prefix, limit=str(LARGEST_PAGE), names_only="true")
    return [row["name"] for row in page["pipelines"]]


def with_full_name(connection: Connection, given: str, call: Callable[[str], Result]) -> Result:
    """Call with a pipeline's name; if no such pipeline exists, with the only name that has this prefix.

    A full name needs no other request. Raises what `call` raises, and Failure if several pipelines match.
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
    """The only pipeline with this prefix; None if there is none, or if the names cannot be listed."""
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
    """Names for shell completion. Returns none after an error: a message would appear in the command line."""
    given: dict[str, Any] = context.find_root().params
    connection = Connection(
        given["profile"], given["region"], given["endpoint_url"], given["stack_name"], given["api_url"]
    )
    try:
        return [CompletionItem(name) for name in names(connection, incomplete)]
    except (Failure, BotoCoreError, ClientError):
        return []


argument = click.argument("name", shell_complete=complete)
