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

A pipeline deploys a stack for each of its stages, one today. A line applies where it fits one of them, and the step
names the first that it fits. Of several that are broken, one that only its owner can mend comes before one to wait for,
and that before one to delete or to continue: a request repairs one stack, and none while another is busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chalicelib.aws.observed import SUCCEEDED, Observed, Phase, Stack, existing
from chalicelib.planning import names
from chalicelib.planning.plan import OWNER_TAG, TYPE_TAG, Plan
from chalicelib.provisioning.steps import (
    RETRY_LATER,
    RETRY_SOON,
    Continue,
    Create,
    Nothing,
    Recreate,
    Refuse,
    Rerun,
    Step,
    Upload,
    Wait,
    wait_for_other,
)

Deployed = Sequence[Stack | None]  # one for each of the plan's stages

_PRECEDENCE = (Refuse, Wait, Recreate, Continue)  # of what several broken stacks need


def decide(plan: Plan, observed: Observed) -> Step:
    """The one step that brings what exists nearer to the plan."""
    delivery = existing(observed.delivery)
    deployed = [existing(stack) for stack in observed.deployed]
    same = observed.bundle is not None and observed.bundle.digest == plan.digest
    return (
        _not_ours(plan, delivery, deployed)
        or _broken([delivery], RETRY_SOON)
        or _without_pipeline(delivery, observed.pipeline_gone)
        or _broken(deployed, RETRY_LATER)
        or _replaces_live(plan, deployed)
        or (_create(plan, observed, same) if delivery is None else _update(plan, observed, delivery, deployed, same))
    )


def _not_ours(plan: Plan, delivery: Stack | None, deployed: Deployed) -> Step | None:
    """Ours is a delivery stack that this orchestrator tagged, and a stack deployed with its role for CloudFormation."""
    foreign = [stack for stack in deployed if stack and not names.same_role(stack.role, plan.role)]
    if delivery and delivery.tags.get(OWNER_TAG) != plan.tags[OWNER_TAG]:
        foreign = [delivery, *foreign]
    if foreign:
        name = foreign[0].name
        return Refuse(
            f"The stack {name} was not made by this orchestrator. Delete it, or give the request another name."
        )
    if delivery and delivery.tags.get(TYPE_TAG) != plan.pipeline_type:
        other = delivery.tags.get(TYPE_TAG)
        return Refuse(
            f"The stack {delivery.name} is of a {other} pipeline, and this request of a {plan.pipeline_type}."
        )
    return None


def _broken(stacks: Sequence[Stack | None], retry_after: int) -> Step | None:
    """What broken stacks need. None is repaired while another one is busy."""
    steps = [step for stack in stacks if stack and (step := _needs(stack, retry_after))]
    if steps and (busy := _busy(stacks)):
        steps.append(busy)
    return min(steps, key=lambda step: _PRECEDENCE.index(type(step)), default=None)


def _needs(stack: Stack, retry_after: int) -> Refuse | Wait | Recreate | Continue | None:
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


def _protected(what: str, stack: Stack) -> Refuse:
    return Refuse(
        f"{what}, and termination protection keeps the stack from being deleted and made anew. Turn it off (aws "
        f"cloudformation update-termination-protection --no-enable-termination-protection --stack-name {stack.name}), "
        "then send the request again."
    )


def _replaces_live(plan: Plan, deployed: Deployed) -> Step | None:
    for stage, stack in zip(plan.stages, deployed, strict=True):
        for name in plan.immutable if stack else ():
            assert stack is not None
            before, after = stack.parameters.get(name, ""), stage.parameters[name]
            if before != after:
                return Refuse(
                    f"{name} is {before or 'generated'!r} and would become {after or 'generated'!r}: that would "
                    f"replace what is live in {stack.name}. Use another model_name, or delete that stack first."
                )
    return None


def _create(plan: Plan, observed: Observed, same: bool) -> Step:
    if observed.bundle is None:
        return Create()
    if same:
        return Create(uploaded=True)
    if not observed.bundle.settled:
        return wait_for_other(plan.name)
    return Create(replaces=observed.bundle.etag)


def _update(plan: Plan, observed: Observed, delivery: Stack, deployed: Deployed, same: bool) -> Step:
    execution, bundle = observed.execution, observed.bundle
    if delivery.phase is not Phase.READY:
        if same and not plan.rerun:
            return Nothing("is being provisioned already by the same request")
        return Wait(f"The stack {delivery.name} is {delivery.status}.", RETRY_SOON)
    if observed.running and same and observed.is_current:
        if plan.rerun:
            return Wait(f"The pipeline {plan.name} is running; it can run again when it has ended.", RETRY_LATER)
        return Nothing("is running already for the same request")
    if observed.running:
        reason = (
            f"The pipeline {plan.name} is running another request; yours can follow when it has ended or was stopped."
        )
        return Wait(reason, RETRY_LATER)
    if busy := _busy(deployed):
        return busy
    if not same and bundle and not observed.is_current and not bundle.settled:
        return wait_for_other(plan.name)
    if damaged := next((stack for stack in deployed if stack and stack.lost), None):
        return Refuse(lost_resources(damaged, plan.name))
    stale = any(delivery.parameters.get(name) != value for name, value in plan.delivery_parameters.items())
    if not same:
        return Upload(bundle.etag if bundle else None, stale)
    if plan.rerun:
        return Rerun("as asked", stale)
    if execution is None or not observed.is_current:
        return Rerun("its last upload was never run", stale)
    if execution.status != SUCCEEDED:
        return Rerun(f"its last run ended as {execution.status}", stale)
    for stage, stack in zip(plan.stages, deployed, strict=True):
        if stack is None:
            return Rerun(f"the stack {stage.stack} that it deployed is gone", stale)
    return Nothing("is provisioned already, and nothing has changed")


def _busy(stacks: Iterable[Stack | None]) -> Wait | None:
    busy = next((stack for stack in stacks if stack and stack.busy), None)
    return Wait(f"The stack {busy.name} is {busy.status}.", RETRY_LATER) if busy else None


def lost_resources(stack: Stack, pipeline: str) -> str:
    """What is said where resources of a deployed stack were deleted without CloudFormation."""
    were, them = ("was", "it") if len(stack.lost) == 1 else ("were", "them")
    return (
        f"{' and '.join(stack.lost)} of the stack {stack.name} {were} deleted, and CloudFormation does not make {them} "
        f"again: delete the pipeline (mlops delete {pipeline}), then send the request again."
    )
