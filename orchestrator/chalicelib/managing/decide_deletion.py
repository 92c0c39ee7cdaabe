# SPDX-License-Identifier: Apache-2.0
"""A name x what exists under it -> the one Step that deletes a pipeline. Pure and total, as decide.py is.

nothing, or not this orchestrator's            Unknown
a deployed stack that is another's, protected  Refuse
a stack that is being made or changed          Wait
a run                                          Running: it is to be stopped first
a stack that is being deleted                  AwaitDeletion
a request on its way                           Wait
a deployed stack, else the delivery stack      Delete, and again where an earlier deletion failed
a bundle alone, or nothing else any more       DeleteBundle

Before the first stack is deleted the bundle is replaced by a tombstone: requests that come meanwhile see it and wait,
nothing can be deployed from it, and what is written after it is known to be another request's. Then the stacks go, a
step each: those of the stages from the last to the first, and the delivery stack at the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.aws.observed import Observed, Phase, Stack, existing
from chalicelib.planning import bundle, names
from chalicelib.planning.plan import OWNER_TAG
from chalicelib.provisioning.steps import RETRY_LATER, RETRY_SOON, Refuse, Wait, wait_for_other

_TOMBSTONE = bundle.pack({"DELETED": "This pipeline is being deleted.\n"})
TOMBSTONE = hashlib.sha256(_TOMBSTONE).hexdigest()


@dataclass(frozen=True)
class DeletionTarget:
    """A pipeline to delete: its names, as a plan has them, with the tombstone as its bundle."""

    name: str
    stacks: tuple[str, ...]  # that it deploys, in the order of its stages
    owner: str  # this orchestrator
    role: str  # that CloudFormation works as

    @property
    def delivery_stack(self) -> str:
        """The stack that holds the delivery pipeline."""
        return names.delivery_stack(self.name)

    @property
    def bundle_key(self) -> str:
        """Where its bundle lies."""
        return names.bundle_key(self.name)

    @property
    def bundle(self) -> bytes:
        """The tombstone."""
        return _TOMBSTONE

    @property
    def digest(self) -> str:
        """The tombstone's."""
        return TOMBSTONE


@dataclass(frozen=True)
class Unknown:
    """There is no such pipeline."""


@dataclass(frozen=True)
class Running:
    """It runs."""


@dataclass(frozen=True)
class AwaitDeletion:
    """A stack is being deleted."""

    stack: Stack


@dataclass(frozen=True)
class Delete:
    """Delete a stack; `again` where that has failed before."""

    stack: Stack
    marked: bool
    again: bool


@dataclass(frozen=True)
class DeleteBundle:
    """No stack is left: remove the bundle."""

    marked: bool


Step = Unknown | Refuse | Running | Wait | AwaitDeletion | Delete | DeleteBundle


def decide_deletion(target: DeletionTarget, observed: Observed) -> Step:
    """The one step that brings a pipeline nearer to its deletion."""
    delivery = existing(observed.delivery)
    foreign = [stack for stack in map(existing, observed.deployed) if stack and not _is_ours(stack, target)]
    if delivery and delivery.tags.get(OWNER_TAG) != target.owner:
        return Unknown()
    if delivery and foreign:
        return Refuse(f"The stack {foreign[0].name} was not made by this orchestrator. Delete it first.")
    stacks = to_delete(target, observed)
    if not stacks and not observed.bundle:
        return Unknown()
    marked = observed.bundle is not None and observed.bundle.digest == TOMBSTONE
    return (
        _protected(stacks)
        or _busy([stack for stack in stacks if stack is delivery], RETRY_SOON)
        or (Running() if observed.running else None)
        or _busy([stack for stack in stacks if stack is not delivery], RETRY_LATER)
        or _pending_request(target, observed, marked)
        or _next(stacks, marked)
    )


def to_delete(target: DeletionTarget, observed: Observed) -> tuple[Stack, ...]:
    """The stacks that a deletion deletes, in its order: the last stage first, the delivery stack at the end."""
    deployed = (stack for stack in reversed(observed.deployed) if stack and _is_ours(stack, target))
    return tuple(stack for stack in map(existing, (*deployed, observed.delivery)) if stack)


def _is_ours(deployed: Stack, target: DeletionTarget) -> bool:
    return names.same_role(deployed.role, target.role)


def _protected(stacks: Sequence[Stack]) -> Step | None:
    protected = next((stack for stack in stacks if stack.protected), None)
    if protected is None:
        return None
    return Refuse(
        f"The stack {protected.name} is protected against deletion. Turn its termination protection off first."
    )


def _busy(stacks: Sequence[Stack], retry_after: int) -> Step | None:
    """A stack that is being made or changed is waited for before one that is being deleted."""
    for stack in stacks:
        if stack.busy:
            return Wait(f"The stack {stack.name} is {stack.status}; it can be deleted afterwards.", retry_after)
    return next((AwaitDeletion(stack) for stack in stacks if stack.phase is Phase.DELETING), None)


def _pending_request(target: DeletionTarget, observed: Observed, marked: bool) -> Step | None:
    """Whether a run is about to begin: of a new pipeline, or of a bundle that was written just now."""
    delivery, bundle = existing(observed.delivery), observed.bundle
    new = delivery is not None and delivery.phase is Phase.READY and not observed.pipeline_gone
    if new and observed.execution is None:
        return Wait(f"The pipeline {target.name} has not begun its first run yet.", RETRY_SOON)
    if bundle and not marked and not bundle.settled and not observed.is_current:
        return wait_for_other(target.name)
    return None


def _next(stacks: Sequence[Stack], marked: bool) -> Step:
    if not stacks:
        return DeleteBundle(marked)
    return Delete(stacks[0], marked, again=stacks[0].status == "DELETE_FAILED")
