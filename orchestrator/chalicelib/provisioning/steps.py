# SPDX-License-Identifier: Apache-2.0
"""What can be decided, as data. Deletion (managing/decide_deletion.py) shares Wait and Refuse."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.aws.observed import Stack

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
