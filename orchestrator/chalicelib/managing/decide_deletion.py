# SPDX-License-Identifier: Apache-2.0
"""A name x what exists under it -> the one Step that deletes a pipeline. Pure and total, as decide.py is.

nothing, or not this orchestrator's            Unknown
a deployed stack that is another's, protected  Refuse
a stack that is being made or changed          Wait
a run                                          Running: it is to be stopped first
a stack that is being deleted                  AwaitDeletion
a request on its way                           Wait
a deployed stack, else a delivery stack        Delete, and again where an earlier deletion failed
a bundle alone, or nothing else any more       DeleteBundle

Before the first stack is deleted the bundle is replaced by a tombstone: requests that come meanwhile see it and wait,
nothing can be deployed from it, and what is written after it is known to be another request's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chalicelib.aws.observed import RUNNING, Execution, Observed, Phase, Stack
from chalicelib.planning import bundle, names
from chalicelib.planning.plan import OWNER_TAG
from chalicelib.provisioning.decide import RETRY_LATER, RETRY_SOON, Refuse, Wait, is_current

_TOMBSTONE = bundle.pack({"DELETED": "This pipeline is being deleted.\n"})
TOMBSTONE = hashlib.sha256(_TOMBSTONE).hexdigest()


@dataclass(frozen=True)
class DeletionTarget:
    """A pipeline to delete: its names, as a plan has them, with the tombstone as its bundle."""

    name: str
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

    execution: Execution


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
    delivery, deployed = _existing(observed.delivery), _existing(observed.deployed)
    marked = observed.bundle is not None and observed.bundle.digest == TOMBSTONE
    if delivery and delivery.tags.get(OWNER_TAG) != target.owner:
        return Unknown()
    if deployed and not names.same_role(deployed.role, target.role):
        if delivery:
            return Refuse(f"The stack {deployed.name} was not made by this orchestrator. Delete it first.")
        deployed = None
    if not delivery and not deployed and not observed.bundle:
        return Unknown()
    return (
        _protected(delivery, deployed)
        or _busy(delivery, RETRY_SOON)
        or _running(observed)
        or _busy(deployed, RETRY_LATER)
        or _pending_request(target, observed, delivery, marked)
        or _next(delivery, deployed, marked)
    )


def _existing(stack: Stack | None) -> Stack | None:
    return stack if stack and stack.phase is not Phase.GONE else None


def _protected(*stacks: Stack | None) -> Step | None:
    for stack in stacks:
        if stack and stack.protected:
            return Refuse(
                f"The stack {stack.name} is protected against deletion. Turn its termination protection off first."
            )
    return None


def _busy(stack: Stack | None, retry_after: int) -> Step | None:
    if stack and stack.phase is Phase.DELETING:
        return AwaitDeletion(stack)
    if stack and stack.phase in (Phase.CREATING, Phase.CHANGING):
        return Wait(f"The stack {stack.name} is {stack.status}; it can be deleted afterwards.", retry_after)
    return None


def _running(observed: Observed) -> Step | None:
    if observed.execution is not None and observed.execution.status in RUNNING:
        return Running(observed.execution)
    return None


def _pending_request(target: DeletionTarget, observed: Observed, delivery: Stack | None, marked: bool) -> Step | None:
    """Whether a run is about to begin: of a new pipeline, or of a bundle that was written just now."""
    new = delivery is not None and delivery.phase is Phase.READY and not observed.pipeline_gone
    if new and observed.execution is None:
        return Wait(f"The pipeline {target.name} has not begun its first run yet.", RETRY_SOON)
    if (
        observed.bundle
        and not marked
        and not observed.bundle.settled
        and not is_current(observed.execution, observed.bundle)
    ):
        return Wait(f"Another request for {target.name} is on its way.", RETRY_SOON)
    return None


def _next(delivery: Stack | None, deployed: Stack | None, marked: bool) -> Step:
    stack = deployed or delivery
    return Delete(stack, marked, again=stack.status == "DELETE_FAILED") if stack else DeleteBundle(marked)
