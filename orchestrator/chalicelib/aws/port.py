# SPDX-License-Identifier: Apache-2.0
"""AWS, as the orchestrator needs it: a protocol. aws makes the calls; the tests have a cloud in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from chalicelib.aws.observed import Action, Bundle, Execution, Job, ModelPackage, Stack, StateMachineRun
from chalicelib.planning.plan import Plan

Document = Mapping[str, Any]


class PreconditionFailed(Exception):
    """What was read before a conditional write is not what is there now."""


class AlreadyExists(Exception):
    """A stack of that name was made meanwhile."""


class PipelineGone(Exception):
    """A delivery stack's pipeline was deleted behind its back."""


class NotShared(Exception):
    """A model package or a group of another account, which AWS does not let us read."""


class InvalidNextToken(Exception):
    """The token of a page is not one that was given out."""


class PipelineNames(Protocol):
    """What stacks and a bundle are found by: a Plan's names, or those of a pipeline that is to be deleted."""

    @property
    def name(self) -> str: ...
    @property
    def stacks(self) -> tuple[str, ...]: ...
    @property
    def delivery_stack(self) -> str: ...
    @property
    def bundle_key(self) -> str: ...


class BundleSource(PipelineNames, Protocol):
    """What is written as a bundle."""

    @property
    def bundle(self) -> bytes: ...
    @property
    def digest(self) -> str: ...


class Cloud(Protocol):
    """What provisioning and status ask of AWS."""

    def stack(self, name: str) -> Stack | None:
        """A stack by name or id; None where there is none."""

    def bundle(self, key: str) -> Bundle | None:
        """The template bundle under a key; None where there is none."""

    def list_bundled_pipelines(self, prefix: str, after: str, limit: int) -> tuple[list[str], bool]:
        """The first pipelines with a bundle whose names have a prefix and follow `after`; and whether more follow."""

    def latest_execution(self, pipeline: str) -> Execution | None:
        """A pipeline's latest execution; None before the first. Raises PipelineGone."""

    def put_bundle(self, plan: BundleSource, replaces: str | None) -> str:
        """Write a bundle where none is, or over the ETag given; returns its version. Raises PreconditionFailed."""

    def remove_bundle(self, plan: PipelineNames, version: str) -> None:
        """Take back one version of a bundle."""

    def delete_bundle(self, key: str, etag: str) -> None:
        """Delete a bundle that is still as it was read; its versions stay. Raises PreconditionFailed."""

    def create_delivery(self, plan: Plan) -> str:
        """Create the delivery stack; returns its id. Raises AlreadyExists."""

    def update_delivery(self, plan: Plan) -> bool:
        """Update the delivery stack; False where AWS sees nothing to update."""

    def delete_stack(self, stack: Stack) -> None:
        """Begin to delete a stack."""

    def continue_rollback(self, stack: Stack) -> None:
        """Continue a stack's rollback."""

    def start(self, pipeline: str, version: str, token: str) -> str:
        """Start a pipeline on a version of its bundle; returns the execution's id."""

    def stop(self, pipeline: str, execution_id: str, abandon: bool) -> None:
        """Stop an execution that runs: when its actions have ended, or at once. Raises PipelineGone."""

    def stop_states(self, execution_arn: str) -> None:
        """Stop an execution of a state machine that runs."""

    def stop_job(self, kind: str, name: str) -> None:
        """Stop a job that runs."""

    def stop_build(self, build_id: str) -> None:
        """Stop a build of CodeBuild that runs."""

    def pipeline_state(self, pipeline: str) -> Document:
        """GetPipelineState's document, dates as ISO 8601. Raises PipelineGone."""

    def executions(self, pipeline: str, limit: int, token: str) -> tuple[Sequence[Execution], str]:
        """A page of a pipeline's executions, the newest first, and the next page's token, empty after the last.

        Raises PipelineGone, and UnknownToken for a token that AWS did not give out.
        """

    def actions(self, pipeline: str, execution_id: str) -> Sequence[Action]:
        """The actions of an execution, the newest first. Raises PipelineGone."""

    def first_failure(self, stack: Stack, since: float, until: float | None = None) -> str:
        """The first failed resource of a stack's last operation between two times, as `Resource: message`.

        Empty where none failed.
        """

    def lost(self, stack: Stack) -> Sequence[str]:
        """The resources of a stack that were deleted without CloudFormation, each as `Type name`."""

    def state_machine_run(self, execution_arn: str) -> StateMachineRun:
        """What an execution of a state machine ran; nothing where AWS no longer knows the execution."""

    def job(self, kind: str, name: str) -> Job | None:
        """A job; None where there is none."""

    def model_package(self, arn: str) -> ModelPackage | None:
        """A model package; None where there is none. Raises NotShared."""

    def model_packages(self, group: str, approval: str = "") -> Sequence[ModelPackage] | None:
        """The newest versions in a group, by name or ARN; None where there is no such group. Raises NotShared.

        With `approval`, those with this approval status.
        """
