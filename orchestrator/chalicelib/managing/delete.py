# SPDX-License-Identifier: Apache-2.0
"""Deletes a pipeline: observes the state, takes the next step, and returns what is left and what is kept.

Each call takes one step and returns immediately; the caller repeats it until the pipeline is deleted. If a call is lost
or interrupted, the next one continues.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from chalicelib import delivery
from chalicelib.aws.observed import Observed, Stack
from chalicelib.aws.port import Cloud, PreconditionFailed
from chalicelib.errors import Conflict, NotFound
from chalicelib.managing.decide_deletion import (
    AwaitDeletion,
    Delete,
    DeleteBundle,
    DeletionTarget,
    Running,
    Unknown,
    decide_deletion,
    to_delete,
)
from chalicelib.managing.stop import stop as stop_pipeline
from chalicelib.names import is_stack_name, of_delivery_stack
from chalicelib.planning.plan import OWNER_TAG
from chalicelib.provisioning.observe import deployed_stacks, observe
from chalicelib.provisioning.steps import RETRY_LATER, RETRY_SOON, Refuse, Wait, lost_race
from chalicelib.quoting import shown
from chalicelib.settings import Settings


@dataclass(frozen=True)
class Deletion:
    """The progress of a deletion."""

    message: str
    left: tuple[str, ...] = ()  # the remaining stacks, in the order of their deletion
    retry_after: int | None = None  # seconds; None if the pipeline is deleted, or nothing was done
    deleted: bool = False

    def document(self, name: str, settings: Settings) -> dict[str, Any]:
        """The response of DELETE /pipelines/{name}."""
        return {
            "message": self.message,
            "name": name,
            "deleted": self.deleted,
            "deletes": list(self.left),
            "stays": list(stays(settings)),
        }


def stays(settings: Settings) -> Iterator[str]:
    """What a deletion keeps."""
    yield f"data, models and other objects in the bucket {settings.assets_bucket} and other buckets in requests"
    yield "SageMaker jobs, their logs (/aws/sagemaker/…), and model packages"
    yield f"earlier versions of the template bundle in the bucket {settings.bundle_bucket}"


def target(name: str, settings: Settings) -> DeletionTarget:
    """The pipeline with a name, or with a delivery stack's name. Raises NotFound if it cannot be in this deployment."""
    pipeline = of_delivery_stack(name.lower())
    if not is_stack_name(pipeline) or not pipeline.startswith(f"{settings.pipeline_stack_name}-"):
        raise _unknown(name)
    return DeletionTarget(pipeline, delivery.stacks(pipeline), settings.orchestrator_stack, settings.cfn_role_arn)


def delete(pipeline: DeletionTarget, cloud: Cloud, stop: bool = False, dry_run: bool = False) -> Deletion:
    """Take the next step; with `dry_run`, only return what would be deleted. `stop` stops a running pipeline first.

    Raises NotFound if there is no such pipeline; Conflict if it is running, busy or cannot be deleted.
    """
    deployed = deployed_stacks(pipeline, cloud)
    if any(stack and _holds_pipeline(stack, pipeline) for stack in deployed):
        pipeline, deployed = replace(pipeline, stacks=()), ()
    observed = observe(pipeline, cloud, deployed)
    step = decide_deletion(pipeline, observed)
    left = tuple(stack.name for stack in to_delete(pipeline, observed))
    match step:
        case Unknown():
            raise _unknown(pipeline.name)
        case Refuse():
            raise Conflict(step.reason)
        case Wait():
            raise Conflict(step.reason, retry_after=step.retry_after)
        case Running() if not stop:
            raise Conflict(f"The pipeline {pipeline.name} is running. Stop it first, or set stop=true.")
        case AwaitDeletion():
            return Deletion(f"The stack {step.stack.name} is being deleted.", left, _retry_after(step.stack, pipeline))
    if dry_run:
        return Deletion(f"The pipeline {pipeline.name} can be deleted.", left)
    if isinstance(step, Running):
        assert observed.delivery is not None
        return Deletion(stop_pipeline(observed.delivery, cloud).message, left, RETRY_SOON)
    if isinstance(step, DeleteBundle):
        _delete_bundle(pipeline, observed, step.marked, cloud)
        return Deletion(f"The pipeline {pipeline.name} is deleted.", deleted=True)
    return _delete(pipeline, observed, step, left, cloud)


def _delete(
    pipeline: DeletionTarget, observed: Observed, step: Delete, left: tuple[str, ...], cloud: Cloud
) -> Deletion:
    why = cloud.first_failure(step.stack, 0) or step.stack.reason if step.again else ""
    if not step.marked:
        _write_tombstone(pipeline, observed, cloud)
    cloud.delete_stack(step.stack)
    if step.again:
        message = f"The deletion of the stack {step.stack.name} failed and is being retried."
        raise Conflict(message, detail=why, retry_after=_retry_after(step.stack, pipeline))
    return Deletion(f"The stack {step.stack.name} is being deleted.", left, _retry_after(step.stack, pipeline))


def _delete_bundle(pipeline: DeletionTarget, observed: Observed, marked: bool, cloud: Cloud) -> None:
    if not marked:
        _write_tombstone(pipeline, observed, cloud)
    tombstone = cloud.bundle(pipeline.bundle_key)
    if tombstone is None:
        return
    if tombstone.digest != pipeline.digest:
        raise lost_race(pipeline.name)
    try:
        cloud.delete_bundle(pipeline.bundle_key, tombstone.etag)
    except PreconditionFailed as error:
        raise lost_race(pipeline.name) from error


def _write_tombstone(pipeline: DeletionTarget, observed: Observed, cloud: Cloud) -> None:
    """Replace the bundle by the tombstone.

    A concurrent request may have created a delivery stack for the bundle since; then the bundle is restored. That
    request also checks that its bundle still exists, so one of the two fails.
    """
    try:
        version = cloud.put_bundle(pipeline, observed.bundle.etag if observed.bundle else None)
    except PreconditionFailed as error:
        raise lost_race(pipeline.name) from error
    if observed.delivery is None and _was_created(pipeline, cloud):
        cloud.remove_bundle(pipeline, version)
        raise lost_race(pipeline.name)


def _was_created(pipeline: DeletionTarget, cloud: Cloud) -> bool:
    """Whether there is a delivery stack, of either name."""
    if cloud.stack(pipeline.delivery_stack):
        return True
    found = (cloud.stack(name) for name in pipeline.stacks)
    return any(stack and _holds_pipeline(stack, pipeline) for stack in found)


def _holds_pipeline(stack: Stack, pipeline: DeletionTarget) -> bool:
    """Whether a stack with the name of the deployed one is the delivery stack: only delivery stacks have the tag."""
    return stack.tags.get(OWNER_TAG) == pipeline.owner


def _retry_after(stack: Stack, pipeline: DeletionTarget) -> int:
    return RETRY_SOON if stack.name == pipeline.delivery_stack else RETRY_LATER


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no pipeline {shown(name)} in this deployment.")
