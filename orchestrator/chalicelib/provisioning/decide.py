# SPDX-License-Identifier: Apache-2.0
"""A plan and the observed state -> the next Step. Pure and total: it handles every status that AWS has.

no deployed stack, no delivery stack           Create
a stack that was never created completely      Recreate: delete it; the next request recreates it
a delivery stack without its pipeline          Recreate
a stack with a failed update rollback          Continue: continue the rollback, never delete
a stack that is changing                       Wait, unless it changes for the same request
same request, Succeeded or running             Nothing
same request, Failed, Stopped or never started Rerun
changed request                                Upload and run; update the delivery stack if its template changed
a foreign stack, a changed endpoint name       Refuse
a stack that belongs to another request        Refuse
a deployed stack without one of its resources  Refuse: CloudFormation does not recreate it

A pipeline deploys one stack per stage, currently one. A line applies if it matches any of them; the step names the
first match. If several stacks are broken, Refuse has precedence over Wait, and Wait over Recreate and Continue: a
request repairs one stack, and none while another is busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from chalicelib import names
from chalicelib.aws.observed import SUCCEEDED, Observed, Phase, Stack, existing, lost_resources
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

_PRECEDENCE = (Refuse, Wait, Recreate, Continue)  # if several stacks are broken


def decide(plan: Plan, observed: Observed) -> Step:
    """The next step towards the plan."""
    delivery = existing(observed.delivery)
    deployed = [existing(stack) for stack in observed.deployed]
    same = observed.bundle is not None and observed.bundle.digest == plan.digest
    return (
        _not_ours(plan, delivery, deployed)
        or _broken([delivery], RETRY_SOON)
        or _without_pipeline(delivery, observed.pipeline_gone)
        or _broken(deployed, RETRY_LATER)
        or _replaces_live(plan, delivery, deployed)
        or (_create(plan, observed, same) if delivery is None else _update(plan, observed, delivery, deployed, same))
    )


def _not_ours(plan: Plan, delivery: Stack | None, deployed: Deployed) -> Step | None:
    """Refuse stacks without this deployment's tag, or deployed with another CloudFormation role."""
    foreign = [stack for stack in deployed if stack and not names.same_role(stack.role, plan.role)]
    if delivery and delivery.tags.get(OWNER_TAG) != plan.tags[OWNER_TAG]:
        foreign = [delivery, *foreign]
    if foreign:
        name = foreign[0].name
        return Refuse(
            f"The stack {name} was not created by this orchestrator. Delete it, or use another name in the request."
        )
    if delivery and delivery.tags.get(TYPE_TAG) != plan.pipeline_type:
        other = delivery.tags.get(TYPE_TAG)
        return Refuse(
            f"The stack {delivery.name} belongs to a {other} pipeline, not to a {plan.pipeline_type} pipeline."
        )
    return _belongs_to_another(plan, delivery, deployed)


def _belongs_to_another(plan: Plan, delivery: Stack | None, deployed: Deployed) -> Step | None:
    """Refuse a stack whose fields of `belongs_to` differ from the request's: it has the name, and is another pipeline.

    One that is being deleted will soon be gone, and is waited for.
    """
    for stack, wanted in _wanted(plan, delivery, deployed):
        if stack.phase is Phase.DELETING or not plan.belongs_to:
            continue
        holds = {field: stack.parameters.get(name, "") for name, field in plan.belongs_to.items()}
        if holds != {field: wanted.get(name, "") for name, field in plan.belongs_to.items()}:
            held = " and ".join(f"{field} {value!r}" for field, value in holds.items())
            return Refuse(
                f"The pipeline {plan.name} belongs to {held}. Use another {plan.identity}, or delete that pipeline "
                "first."
            )
    return None


def _wanted(plan: Plan, delivery: Stack | None, deployed: Deployed) -> Iterator[tuple[Stack, Mapping[str, str]]]:
    """The stacks that have the request's parameters, each with those of the plan."""
    if not plan.stages and delivery:
        yield delivery, plan.delivery_parameters
    for stage, stack in zip(plan.stages, deployed, strict=True):
        if stack:
            yield stack, stage.parameters


def _broken(stacks: Sequence[Stack | None], retry_after: int) -> Step | None:
    """The step for broken stacks. None is repaired while another one is busy."""
    steps = [step for stack in stacks if stack and (step := _needs(stack, retry_after))]
    if steps and (busy := _busy(stacks)):
        steps.append(busy)
    return min(steps, key=lambda step: _PRECEDENCE.index(type(step)), default=None)


def _needs(stack: Stack, retry_after: int) -> Refuse | Wait | Recreate | Continue | None:
    match stack.phase:
        case Phase.DELETING:
            return Wait(f"The stack {stack.name} is being deleted.", retry_after)
        case Phase.NEVER_COMPLETED if stack.protected:
            return _protected(f"The creation of the stack {stack.name} never completed ({stack.status})", stack)
        case Phase.NEVER_COMPLETED:
            return Recreate(
                stack,
                f"The creation of the stack {stack.name} never completed ({stack.status}). The stack is being deleted; "
                "resend the request to recreate it.",
                retry_after,
            )
        case Phase.STUCK:
            return Continue(
                stack,
                f"The rollback of the stack {stack.name} failed ({stack.status}). The rollback is being continued.",
                retry_after,
            )
        case Phase.BLOCKED:
            return Refuse(
                f"The stack {stack.name} is {stack.status} ({stack.reason or 'no reason given'}). Delete the stack, "
                "then resend the request."
            )
    return None


def _without_pipeline(delivery: Stack | None, pipeline_gone: bool) -> Step | None:
    if delivery is None or not pipeline_gone or delivery.phase is not Phase.READY:
        return None
    if delivery.protected:
        return _protected(f"The pipeline of the stack {delivery.name} was deleted", delivery)
    reason = (
        f"The pipeline of the stack {delivery.name} was deleted. The stack is being deleted; resend the request to "
        "recreate it."
    )
    return Recreate(delivery, reason, RETRY_SOON)


def _protected(what: str, stack: Stack) -> Refuse:
    return Refuse(
        f"{what}, and termination protection prevents its deletion. Disable it (aws cloudformation "
        f"update-termination-protection --no-enable-termination-protection --stack-name {stack.name}), then resend the "
        "request."
    )


def _replaces_live(plan: Plan, delivery: Stack | None, deployed: Deployed) -> Step | None:
    for stack, wanted in _wanted(plan, delivery, deployed):
        for name in plan.immutable:
            before, after = stack.parameters.get(name, ""), wanted.get(name, "")
            if before != after:
                return Refuse(
                    f"{name} would change from {before or 'generated'!r} to {after or 'generated'!r}, which replaces "
                    f"live resources of {stack.name}. Use another {plan.identity}, or delete that stack first."
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
            return Nothing("is already being provisioned for the same request")
        return Wait(f"The stack {delivery.name} is {delivery.status}.", RETRY_SOON)
    if observed.running and same and observed.is_current:
        if plan.rerun:
            return Wait(f"The pipeline {plan.name} is running; rerun it when it has ended.", RETRY_LATER)
        return Nothing("is already running for the same request")
    if observed.running:
        reason = f"The pipeline {plan.name} is running for another request. Wait until it has ended, or stop it."
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
        return Rerun("requested with rerun", stale)
    if stale and not plan.stages:  # the update of its stack failed, or was never begun
        return Rerun("its stack was not updated to the last request", stale)
    if execution is None or not observed.is_current:
        return Rerun("its last request was never run", stale)
    if execution.status != SUCCEEDED:
        return Rerun(f"the status of its last run is {execution.status}", stale)
    for stage, stack in zip(plan.stages, deployed, strict=True):
        if stack is None:
            return Rerun(f"its deployed stack {stage.stack} was deleted", stale)
    return Nothing("is already provisioned, and the request has not changed")


def _busy(stacks: Iterable[Stack | None]) -> Wait | None:
    busy = next((stack for stack in stacks if stack and stack.busy), None)
    return Wait(f"The stack {busy.name} is {busy.status}.", RETRY_LATER) if busy else None
