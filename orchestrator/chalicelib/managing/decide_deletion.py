# SPDX-License-Identifier: Apache-2.0
"""A name and the observed state -> the next Step of a pipeline's deletion. Pure and total, like decide.py.

nothing, or a foreign delivery stack           Unknown
a foreign deployed stack, or a protected stack Refuse
a stack that is being created or changed       Wait
a run                                          Running: it must be stopped first
a stack that is being deleted                  AwaitDeletion
another request in progress                    Wait
a deployed stack, else the delivery stack      Delete; retry if an earlier deletion failed
only a bundle                                  DeleteBundle

Before the first stack is deleted, the bundle is replaced by a tombstone. Concurrent requests find it and wait, it can't
be deployed, and a bundle written after it belongs to another request. Then each step deletes one stack: the stages'
from the last to the first, finally the delivery stack.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib import names
from chalicelib.aws.observed import Observed, Phase, Stack, existing
from chalicelib.delivery import delivery_stack
from chalicelib.planning import bundle
from chalicelib.planning.plan import OWNER_TAG
from chalicelib.provisioning.steps import RETRY_LATER, RETRY_SOON, Refuse, Wait, wait_for_other

_TOMBSTONE = bundle.pack({"DELETED": "This pipeline is being deleted.\n"})
TOMBSTONE = hashlib.sha256(_TOMBSTONE).hexdigest()


@dataclass(frozen=True)
class DeletionTarget:
    """A pipeline to delete: its names, as in a plan, with the tombstone as its bundle."""

    name: str
    stacks: tuple[str, ...]  # that it deploys, in the order of its stages
    owner: str  # this orchestrator
    role: str  # of CloudFormation

    @property
    def delivery_stack(self) -> str:
        """The name of the delivery stack."""
        return delivery_stack(self.name, bool(self.stacks))

    @property
    def bundle_key(self) -> str:
        """The S3 key of its bundle."""
        return names.bundle_key(self.name)

    @property
    def bundle(self) -> bytes:
        """The tombstone."""
        return _TOMBSTONE

    @property
    def digest(self) -> str:
        """The tombstone's digest."""
        return TOMBSTONE


@dataclass(frozen=True)
class Unknown:
    """There is no such pipeline."""


@dataclass(frozen=True)
class Running:
    """The pipeline is running."""


@dataclass(frozen=True)
class AwaitDeletion:
    """A stack is being deleted."""

    stack: Stack


@dataclass(frozen=True)
class Delete:
    """Delete a stack; `again` if an earlier deletion failed."""

    stack: Stack
    marked: bool
    again: bool


@dataclass(frozen=True)
class DeleteBundle:
    """No stack is left: delete the bundle."""

    marked: bool


Step = Unknown | Refuse | Running | Wait | AwaitDeletion | Delete | DeleteBundle


def decide_deletion(target: DeletionTarget, observed: Observed) -> Step:
    """The next step of a pipeline's deletion."""
    delivery = existing(observed.delivery)
    foreign = [stack for stack in map(existing, observed.deployed) if stack and not _is_ours(stack, target)]
    if delivery and delivery.tags.get(OWNER_TAG) != target.owner:
        return Unknown()
    if delivery and foreign:
        return Refuse(f"The stack {foreign[0].name} was not created by this orchestrator. Delete it first.")
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
    return Refuse(f"Termination protection is enabled for the stack {protected.name}. Disable it first.")


def _busy(stacks: Sequence[Stack], retry_after: int) -> Step | None:
    """Wait for a stack that is being created or changed, else for one that is being deleted."""
    for stack in stacks:
        if stack.busy:
            return Wait(f"The stack {stack.name} is {stack.status}. Retry when the operation has ended.", retry_after)
    return next((AwaitDeletion(stack) for stack in stacks if stack.phase is Phase.DELETING), None)


def _pending_request(target: DeletionTarget, observed: Observed, marked: bool) -> Step | None:
    """Whether a run is about to start: of a new pipeline, or of a new bundle."""
    delivery, bundle = existing(observed.delivery), observed.bundle
    new = delivery is not None and delivery.phase is Phase.READY and not observed.pipeline_gone
    if new and observed.execution is None:
        return Wait(f"The pipeline {target.name} has not started its first run yet.", RETRY_SOON)
    if bundle and not marked and not bundle.settled and not observed.is_current:
        return wait_for_other(target.name)
    return None


def _next(stacks: Sequence[Stack], marked: bool) -> Step:
    if not stacks:
        return DeleteBundle(marked)
    return Delete(stacks[0], marked, again=stacks[0].status == "DELETE_FAILED")
