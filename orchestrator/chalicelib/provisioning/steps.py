# SPDX-License-Identifier: Apache-2.0
"""The possible decisions, as data. managing/decide_deletion.py shares some of them."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.aws.observed import Stack
from chalicelib.errors import Conflict

RETRY_SOON = 15  # seconds: a delivery stack is one resource
RETRY_LATER = 60  # a deployed stack may contain an endpoint


@dataclass(frozen=True)
class Create:
    """Write the bundle (over `replaces`, if an abandoned one exists), then create the delivery stack."""

    replaces: str | None = None  # the ETag to write over
    uploaded: bool = False  # the bundle already exists


@dataclass(frozen=True)
class Upload:
    """Overwrite the existing bundle, then run."""

    replaces: str | None
    update_delivery: bool = False


@dataclass(frozen=True)
class Rerun:
    """Start the delivery pipeline with the existing bundle."""

    reason: str
    update_delivery: bool = False


@dataclass(frozen=True)
class Nothing:
    """The observed state matches the request."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Busy: the request must be resent."""

    reason: str
    retry_after: int


@dataclass(frozen=True)
class Recreate:
    """Delete a stack that was never created completely, or lost its pipeline; the next request recreates it."""

    stack: Stack
    reason: str
    retry_after: int


@dataclass(frozen=True)
class Continue:
    """Continue the failed rollback of a stack."""

    stack: Stack
    reason: str
    retry_after: int


@dataclass(frozen=True)
class Refuse:
    """Not allowed to change or replace what exists."""

    reason: str


Step = Create | Upload | Rerun | Nothing | Wait | Recreate | Continue | Refuse


def wait_for_other(pipeline: str) -> Wait:
    """Another request has just written the pipeline's bundle and has not started its run yet."""
    return Wait(f"Another request for {pipeline} is being processed.", RETRY_SOON)


def lost_race(pipeline: str) -> Conflict:
    """A conditional write failed, so this request is rejected."""
    return Conflict(f"A concurrent request for {pipeline} was accepted first.", retry_after=RETRY_SOON)
