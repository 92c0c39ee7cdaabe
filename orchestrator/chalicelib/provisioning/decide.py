# SPDX-License-Identifier: Apache-2.0
"""Plan x what exists -> the one Step to take. Pure and total: every status AWS has leads somewhere.

nothing deployed, nothing delivered            Create
a stack that never completed                   Recreate: deleted, and made anew by the next request
a delivery stack whose pipeline is gone        Recreate
a stack whose update could not be undone       Continue: its rollback, never a deletion
a stack that is changing                       Wait, unless it changes into what is asked for
same request, Succeeded or running             Nothing
same request, Failed, Stopped or never begun   Rerun
changed request                                Upload, which runs; and the delivery stack, where its template changed
somebody else's stack, a changed endpoint name Refuse
a deployed stack that has lost a resource      Refuse: CloudFormation does not make it again
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.aws.observed import RUNNING, SUCCEEDED, Bundle, Execution, Observed, Phase, Stack
from chalicelib.planning import names
from chalicelib.planning.plan import OWNER_TAG, TYPE_TAG, Plan

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


def decide(plan: Plan, observed: Observed) -> Step:
    """The one step that brings what exists nearer to the plan."""
    delivery = observed.delivery if observed.delivery and observed.delivery.phase is not Phase.GONE else None
    deployed = observed.deployed if observed.deployed and observed.deployed.phase is not Phase.GONE else None
    same = observed.bundle is not None and observed.bundle.digest == plan.digest
    return (
        _not_ours(plan, delivery, deployed)
        or _broken(delivery, RETRY_SOON)
        or _without_pipeline(delivery, observed.pipeline_gone)
        or _broken(deployed, RETRY_LATER)
        or _replaces_live(plan, deployed)
        or (_create(plan, observed, same) if delivery is None else _update(plan, observed, delivery, deployed, same))
    )


def _not_ours(plan: Plan, delivery: Stack | None, deployed: Stack | None) -> Step | None:
    """Ours is a delivery stack that this orchestrator tagged, and a stack deployed with its role for CloudFormation."""
    if delivery and delivery.tags.get(OWNER_TAG) != plan.tags[OWNER_TAG]:
        foreign = delivery.name
    elif deployed and not names.same_role(deployed.role, plan.role):
        foreign = deployed.name
    elif delivery and delivery.tags.get(TYPE_TAG) != plan.pipeline_type:
        other = delivery.tags.get(TYPE_TAG)
        return Refuse(
            f"The stack {delivery.name} is of a {other} pipeline, and this request of a {plan.pipeline_type}."
        )
    else:
        return None
    return Refuse(
        f"The stack {foreign} was not made by this orchestrator. Delete it, or give the request another name."
    )


def _broken(stack: Stack | None, retry_after: int) -> Step | None:
    if stack is None:
        return None
    match stack.phase:
        case Phase.DELETING:
            return Wait(f"The stack {stack.name} is being deleted.", retry_after)
        case Phase.NEVER_COMPLETED if stack.protected:
            return _protected(f"The stack {stack.name} never completed ({stack.status})", stack)
        case Phase.NEVER_COMPLETED:
            return Recreate(
                stack,
                f"The stack {stack.name} never completed ({stack.status}). It is being deleted; the same "
                "request makes it anew.",
                retry_after,
            )
        case Phase.STUCK:
            return Continue(
                stack,
                f"The last update of the stack {stack.name} could not be undone ({stack.status}). Its "
                "rollback is being continued.",
                retry_after,
            )
        case Phase.BLOCKED:
            return Refuse(
                f"The stack {stack.name} is {stack.status} ({stack.reason or 'no reason given'}). Finish its "
                "deletion first."
            )
    return None


def _without_pipeline(delivery: Stack | None, pipeline_gone: bool) -> Step | None:
    if delivery is None or not pipeline_gone or delivery.phase is not Phase.READY:
        return None
    if delivery.protected:
        return _protected(f"The pipeline of the stack {delivery.name} is gone", delivery)
    reason = f"The pipeline of {delivery.name} is gone. Its stack is being deleted; the same request makes it anew."
    return Recreate(delivery, reason, RETRY_SOON)


def _protected(what: str, stack: Stack) -> Step:
    return Refuse(
        f"{what}, and termination protection keeps the stack from being deleted and made anew. Turn it off (aws "
        f"cloudformation update-termination-protection --no-enable-termination-protection --stack-name {stack.name}), "
        "then send the request again."
    )


def lost(names_of: Sequence[str], stack: Stack) -> str:
    """What is said where resources of a deployed stack were deleted without CloudFormation."""
    were = "was" if len(names_of) == 1 else "were"
    again = "it" if len(names_of) == 1 else "them"
    return (
        f"{' and '.join(names_of)} of the stack {stack.name} {were} deleted, and CloudFormation does not make {again} "
        f"again: delete the pipeline (mlops delete {stack.name}), then send the request again."
    )


def _replaces_live(plan: Plan, deployed: Stack | None) -> Step | None:
    (stage,) = plan.stages
    for name in plan.immutable if deployed else ():
        assert deployed is not None
        before = deployed.parameters.get(name, "")
        if before != stage.parameters[name]:
            return Refuse(
                f"{name} is {before or 'generated'!r} and would become {stage.parameters[name] or 'generated'!r}: that "
                f"would replace what is live in {deployed.name}. Use another model_name, or delete that stack first."
            )
    return None


def _create(plan: Plan, observed: Observed, same: bool) -> Step:
    if observed.bundle is None:
        return Create()
    if same:
        return Create(uploaded=True)
    if not observed.bundle.settled:
        return Wait(f"Another request for {plan.name} is on its way.", RETRY_SOON)
    return Create(replaces=observed.bundle.etag)


def _update(plan: Plan, observed: Observed, delivery: Stack, deployed: Stack | None, same: bool) -> Step:
    execution = observed.execution
    current = is_current(execution, observed.bundle)
    running = execution is not None and execution.status in RUNNING and current
    if delivery.phase is not Phase.READY:
        if same and not plan.rerun:
            return Nothing("is being provisioned already by the same request")
        return Wait(f"The stack {delivery.name} is {delivery.status}.", RETRY_SOON)
    if same and running:
        if plan.rerun:
            return Wait(f"The pipeline {plan.name} is running; it can run again when it has ended.", RETRY_LATER)
        return Nothing("is running already for the same request")
    if execution is not None and execution.status in RUNNING:
        reason = (
            f"The pipeline {plan.name} is running another request; yours can follow when it has ended or was stopped."
        )
        return Wait(reason, RETRY_LATER)
    if deployed and deployed.phase in (Phase.CREATING, Phase.CHANGING):
        return Wait(f"The stack {deployed.name} is {deployed.status}.", RETRY_LATER)
    stale = any(delivery.parameters.get(name) != value for name, value in plan.delivery_parameters.items())
    if not same and observed.bundle and not current and not observed.bundle.settled:
        return Wait(f"Another request for {plan.name} is on its way.", RETRY_SOON)
    if deployed and observed.lost:
        return Refuse(lost(observed.lost, deployed))
    if not same:
        return Upload(observed.bundle.etag if observed.bundle else None, stale)
    if plan.rerun:
        return Rerun("as asked", stale)
    if execution is None or not current:
        return Rerun("its last upload was never run", stale)
    if execution.status == SUCCEEDED:
        if deployed is None:
            return Rerun("the stack it deployed is gone", stale)
        return Nothing("is provisioned already, and nothing has changed")
    return Rerun(f"its last run ended as {execution.status}", stale)


def is_current(execution: Execution | None, bundle: Bundle | None) -> bool:
    """Whether an execution is of the bundle that is there: one that hasn't fetched yet will fetch it."""
    if execution is None or bundle is None:
        return False
    if not execution.revision:
        return execution.status in RUNNING
    return execution.revision == bundle.version
