# SPDX-License-Identifier: Apache-2.0
"""What can be decided, as data; deletions (managing/decide_deletion.py) share some of it."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.aws.observed import Stack
from chalicelib.errors import Conflict

RETRY_SOON = 15  # seconds: a delivery stack is one resource
RETRY_LATER = 60  # a deployed stack may hold an endpoint


@dataclass(frozen=True)
class Create:
    """Write the bundle (over `replaces`, where an abandoned one lies there), then create the delivery stack."""

    replaces: str | None = None  # the ETag to write over
    uploaded: bool = False  # the right bundle lies there already


@dataclass(frozen=True)
class Upload:
    """Write the bundle over the one found, then run."""

    replaces: str | None
    update_delivery: bool = False


@dataclass(frozen=True)
class Rerun:
    """Start the delivery pipeline on the bundle that is there."""

    reason: str
    update_delivery: bool = False


@dataclass(frozen=True)
class Nothing:
    """All is as it was asked for."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Busy: ask again."""

    reason: str
    retry_after: int


@dataclass(frozen=True)
class Recreate:
    """Delete a stack that never completed, or holds nothing any more; the next request makes it anew."""

    stack: Stack
    reason: str
    retry_after: int


@dataclass(frozen=True)
class Continue:
    """Continue the rollback of a stack whose update could not be undone."""

    stack: Stack
    reason: str
    retry_after: int


@dataclass(frozen=True)
class Refuse:
    """Not ours to touch, or not ours to replace."""

    reason: str


Step = Create | Upload | Rerun | Nothing | Wait | Recreate | Continue | Refuse


def wait_for_other(pipeline: str) -> Wait:
    """Another request wrote the pipeline's bundle just now, and has not acted on it yet."""
    return Wait(f"Another request for {pipeline} is being processed.", RETRY_SOON)


def overtaken(pipeline: str) -> Conflict:
    """A conditional write failed, so this request goes no further."""
    return Conflict(f"A concurrent request for {pipeline} was accepted first.", retry_after=RETRY_SOON)
