# SPDX-License-Identifier: Apache-2.0
"""Carries a Step out: looks at what exists, decides, acts, and answers.

A new pipeline takes three calls: nothing is deployed, so the bundle is written on the condition that none is there, and
the delivery stack is created. When either says that something is there after all, we look properly and decide anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from chalicelib.aws.observed import RUNNING, Execution, Found, Phase, Stack
from chalicelib.aws.port import AlreadyExists, Cloud, Moved, Named, PipelineGone
from chalicelib.errors import Conflict
from chalicelib.planning.names import PIPELINE_OUTPUT
from chalicelib.planning.plan import Plan
from chalicelib.provisioning.decide import (
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
    decide,
)


@dataclass(frozen=True)
class Provisioned:
    """What was done about a request."""

    pipeline_id: str
    message: str
    changed: bool
    execution_id: str = ""  # of the run that was started, where one was


def provision(plan: Plan, cloud: Cloud) -> Provisioned:
    """Bring a plan about, one step nearer.

    Raises Conflict where the name is busy or in use for something else, Unavailable where AWS fails.
    """
    deployed = cloud.stack(plan.name)
    found = look(plan, cloud, deployed) if deployed else Found()
    known = deployed is not None  # or only assumed
    written = ""  # the bundle's version, where this request wrote it and got no further
    for _ in range(3):
        step = decided(plan, found, cloud)
        if isinstance(step, Refuse) and written:
            cloud.remove_bundle(plan, written)
        try:
            return carry_out(plan, step, found, cloud)
        except Moved:
            taken = False
        except AlreadyExists:
            taken = isinstance(step, Create) and not step.uploaded
        found = look(plan, cloud, cloud.stack(plan.name))
        same = found.bundle is not None and found.bundle.digest == plan.digest
        if known and not same:
            break
        if taken and same and found.bundle:
            written = found.bundle.version
        known = True
    raise Conflict(f"Another request changed {plan.name} at the same time, and has won.", retry_after=RETRY_SOON)


def decided(plan: Plan, found: Found, cloud: Cloud) -> Step:
    """The step to take. What would leave a deployed stack as it is, or update it, needs the stack to be whole."""
    step = decide(plan, found)
    stacks = (found.delivery, found.deployed)
    still = not (found.execution and found.execution.status in RUNNING)
    if isinstance(step, Nothing | Upload | Rerun) and still and all(one and one.phase is Phase.READY for one in stacks):
        assert found.deployed is not None
        return decide(plan, replace(found, lost=tuple(cloud.lost(found.deployed))))
    return step


def look(plan: Named, cloud: Cloud, deployed: Stack | None) -> Found:
    """Everything that exists under a plan's names."""
    delivery = cloud.stack(plan.delivery_stack)
    bundle = cloud.bundle(plan.bundle_key)
    pipeline = delivery.outputs.get(PIPELINE_OUTPUT) if delivery else None
    try:
        return Found(delivery, deployed, bundle, cloud.latest_execution(pipeline) if pipeline else None)
    except PipelineGone:
        return Found(delivery, deployed, bundle, pipeline_gone=True)


def carry_out(plan: Plan, step: Step, found: Found, cloud: Cloud) -> Provisioned:
    """Do one step. Every write is conditional or carries a token, so that doing it twice is doing it once."""
    match step:
        case Create():
            if not step.uploaded:
                cloud.put_bundle(plan, step.replaces)
            pipeline_id = cloud.create_delivery(plan)
            if step.uploaded:
                _restore(plan, cloud)
            return Provisioned(pipeline_id, "success: stack creation started", changed=True)
        case Upload():
            version = cloud.put_bundle(plan, step.replaces)
            return _run(
                plan,
                found,
                version,
                step.update_delivery,
                cloud,
                f"Pipeline {plan.delivery_stack} is already provisioned. Updating template parameters.",
            )
        case Rerun():
            assert found.bundle is not None
            return _run(
                plan,
                found,
                found.bundle.version,
                step.update_delivery,
                cloud,
                f"Pipeline {plan.delivery_stack} runs again: {step.reason}.",
            )
        case Nothing():
            assert found.delivery is not None
            return Provisioned(
                found.delivery.id,
                f"Pipeline {plan.delivery_stack} {step.reason}. No updates are to be "
                'performed. To run it again, add "rerun": true to the request.',
                changed=False,
            )
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
    """Write the bundle again where it was deleted since it was found (see managing/deleting.py)."""
    bundle = cloud.bundle(plan.bundle_key)
    if bundle is None or bundle.digest != plan.digest:
        cloud.put_bundle(plan, bundle.etag if bundle else None)


def _run(plan: Plan, found: Found, version: str, update_delivery: bool, cloud: Cloud, message: str) -> Provisioned:
    assert found.delivery is not None
    if update_delivery and cloud.update_delivery(plan):
        return Provisioned(found.delivery.id, message, changed=True)  # the updated pipeline starts by itself
    token = _token(version, found.execution)
    started = cloud.start(found.delivery.outputs[PIPELINE_OUTPUT], version, token)
    return Provisioned(found.delivery.id, message, changed=True, execution_id=started)


def _token(version: str, last: Execution | None) -> str:
    """The same for two requests that saw the same bundle and the same last run, so that only one run starts."""
    return hashlib.sha256(f"{version}/{last.id if last else ''}".encode()).hexdigest()
