# SPDX-License-Identifier: Apache-2.0
"""Provisions a plan: observes the state, decides on a Step, executes it, and returns the result.

A new pipeline takes three calls: check for a deployed stack, write the bundle on the condition that none exists, create
the delivery stack. If a write fails because something already exists, the state is observed again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from chalicelib.aws.observed import Execution, Observed, Phase
from chalicelib.aws.port import AlreadyExists, Cloud, PreconditionFailed
from chalicelib.errors import Conflict
from chalicelib.names import PIPELINE_OUTPUT
from chalicelib.planning.plan import Plan
from chalicelib.provisioning import messages, preconditions
from chalicelib.provisioning.decide import decide
from chalicelib.provisioning.observe import deployed_stacks, observe
from chalicelib.provisioning.steps import (
    Continue,
    Create,
    Nothing,
    Recreate,
    Refuse,
    Rerun,
    Step,
    Upload,
    Wait,
    lost_race,
)


@dataclass(frozen=True)
class Provisioned:
    """The result of a request."""

    pipeline_id: str
    message: str
    changed: bool
    execution_id: str = ""  # of the run that was started, if any


def provision(plan: Plan, cloud: Cloud) -> Provisioned:
    """Take the next step towards a plan.

    Raises Conflict if the name is busy or in use for something else, or a precondition does not hold; BadRequest for a
    precondition about something that does not exist; Unavailable if AWS fails.
    """
    deployed = deployed_stacks(plan, cloud)
    # Else it is assumed that nothing exists.
    known = any(deployed) if plan.stages else cloud.stack(plan.delivery_stack) is not None
    observed = observe(plan, cloud, deployed) if known else Observed(deployed=deployed)
    written = ""  # the bundle's version, if this request wrote it but did not complete
    for _ in range(3):
        step = next_step(plan, observed, cloud)
        if isinstance(step, Refuse) and written:
            cloud.remove_bundle(plan, written)
        if not isinstance(step, Nothing | Wait | Refuse):  # right before the first write
            preconditions.check(plan.preconditions, cloud)
        try:
            return execute(plan, step, observed, cloud)
        except PreconditionFailed:
            taken = False
        except AlreadyExists:
            taken = isinstance(step, Create) and not step.uploaded
        observed = observe(plan, cloud, deployed_stacks(plan, cloud))
        same = observed.bundle is not None and observed.bundle.digest == plan.digest
        if known and not same:
            break
        if taken and same and observed.bundle:
            written = observed.bundle.version
        known = True
    raise lost_race(plan.name)


def next_step(plan: Plan, observed: Observed, cloud: Cloud) -> Step:
    """The step to take. Steps that keep or update the deployed stacks require all of their resources to exist."""
    step = decide(plan, observed)
    stacks = [stack for stack in (observed.delivery, *observed.deployed) if stack]
    at_rest = not observed.running and all(stack.phase is Phase.READY for stack in stacks)
    if isinstance(step, Nothing | Upload | Rerun) and at_rest:
        whole = tuple(stack and replace(stack, lost=tuple(cloud.lost(stack))) for stack in observed.deployed)
        return decide(plan, replace(observed, deployed=whole))
    return step


def execute(plan: Plan, step: Step, observed: Observed, cloud: Cloud) -> Provisioned:
    """Execute a step. Every write is conditional or has a token, so execution is idempotent."""
    match step:
        case Create():
            if not step.uploaded:
                cloud.put_bundle(plan, step.replaces)
            pipeline_id = cloud.create_delivery(plan)
            if step.uploaded:
                _restore(plan, cloud)
            return Provisioned(pipeline_id, messages.CREATED, changed=True)
        case Upload():
            version = cloud.put_bundle(plan, step.replaces)
            return _run(
                plan,
                observed,
                version,
                step.update_delivery,
                cloud,
                messages.updated(plan),
            )
        case Rerun():
            assert observed.bundle is not None
            return _run(
                plan,
                observed,
                observed.bundle.version,
                step.update_delivery,
                cloud,
                messages.rerun(plan, step.reason),
            )
        case Nothing():
            assert observed.delivery is not None
            return Provisioned(observed.delivery.id, messages.unchanged(plan, step.reason), changed=False)
        case Wait():
            raise Conflict(step.reason, retry_after=step.retry_after)
        case Recreate():
            cloud.delete_stack(step.stack)
            raise Conflict(step.reason, retry_after=step.retry_after)
        case Continue():
            cloud.continue_rollback(step.stack)
            raise Conflict(step.reason, retry_after=step.retry_after)
        case Refuse():
            raise Conflict(step.reason)


def _restore(plan: Plan, cloud: Cloud) -> None:
    """Rewrite the bundle if it was deleted since it was found (see managing/delete.py)."""
    bundle = cloud.bundle(plan.bundle_key)
    if bundle is None or bundle.digest != plan.digest:
        cloud.put_bundle(plan, bundle.etag if bundle else None)


def _run(
    plan: Plan, observed: Observed, version: str, update_delivery: bool, cloud: Cloud, message: str
) -> Provisioned:
    assert observed.delivery is not None
    if update_delivery and cloud.update_delivery(plan):
        return Provisioned(observed.delivery.id, message, changed=True)  # the updated pipeline starts by itself
    token = _token(version, observed.execution)
    started = cloud.start(observed.delivery.outputs[PIPELINE_OUTPUT], version, token)
    return Provisioned(observed.delivery.id, message, changed=True, execution_id=started)


def _token(version: str, last: Execution | None) -> str:
    """The same token for two requests that observed the same bundle and last run, so that only one run starts."""
    return hashlib.sha256(f"{version}/{last.id if last else ''}".encode()).hexdigest()
