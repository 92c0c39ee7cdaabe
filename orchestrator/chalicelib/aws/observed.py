# SPDX-License-Identifier: Apache-2.0
"""What exists, as AWS tells it: stacks, template bundles, executions, jobs; and what their statuses mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Phase(Enum):
    """What a stack's status means for us."""

    READY = "ready"  # completed once, stands still
    CREATING = "creating"
    CHANGING = "changing"  # completed once, is being changed
    NEVER_COMPLETED = "never completed"
    STUCK = "stuck"  # its update failed and so did undoing it
    DELETING = "deleting"
    BLOCKED = "blocked"  # only its owner can help: a deletion or an import that failed
    GONE = "gone"


# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html; a test walks botocore's list.
STACK_PHASES: Mapping[str, Phase] = {
    "CREATE_IN_PROGRESS": Phase.CREATING,
    "REVIEW_IN_PROGRESS": Phase.CREATING,
    "IMPORT_IN_PROGRESS": Phase.CHANGING,
    "CREATE_COMPLETE": Phase.READY,
    "UPDATE_COMPLETE": Phase.READY,
    "UPDATE_ROLLBACK_COMPLETE": Phase.READY,
    "UPDATE_FAILED": Phase.STUCK,
    "IMPORT_COMPLETE": Phase.READY,
    "IMPORT_ROLLBACK_COMPLETE": Phase.READY,
    "IMPORT_ROLLBACK_IN_PROGRESS": Phase.CHANGING,
    "IMPORT_ROLLBACK_FAILED": Phase.BLOCKED,
    "UPDATE_IN_PROGRESS": Phase.CHANGING,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": Phase.CHANGING,
    "UPDATE_ROLLBACK_IN_PROGRESS": Phase.CHANGING,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": Phase.CHANGING,
    "UPDATE_ROLLBACK_FAILED": Phase.STUCK,
    "CREATE_FAILED": Phase.NEVER_COMPLETED,
    "ROLLBACK_COMPLETE": Phase.NEVER_COMPLETED,
    "ROLLBACK_FAILED": Phase.NEVER_COMPLETED,
    "ROLLBACK_IN_PROGRESS": Phase.CREATING,
    "DELETE_IN_PROGRESS": Phase.DELETING,
    "DELETE_FAILED": Phase.BLOCKED,
    "DELETE_COMPLETE": Phase.GONE,
}

# https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html; walked by the same test.
RUNNING = frozenset({"InProgress", "Stopping"})
ENDED_BADLY = frozenset({"Failed", "Stopped", "Cancelled", "Superseded"})
SUCCEEDED = "Succeeded"
APPROVED = "Approved"  # of a version in the model registry


@dataclass(frozen=True)
class Stack:
    """A CloudFormation stack as found."""

    id: str
    name: str
    status: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    role: str = ""  # that CloudFormation works as
    reason: str = ""
    created: float = 0.0  # seconds since the epoch
    protected: bool = False  # against deletion
    lost: tuple[str, ...] = ()  # resources that were deleted without CloudFormation, where that was looked up

    @property
    def phase(self) -> Phase:
        """What its status means."""
        return STACK_PHASES[self.status]

    @property
    def busy(self) -> bool:
        """Whether it is being created or changed."""
        return self.phase in (Phase.CREATING, Phase.CHANGING)


def existing(stack: Stack | None) -> Stack | None:
    """A stack, unless it is gone: AWS goes on describing deleted stacks."""
    return stack if stack and stack.phase is not Phase.GONE else None


def lost_resources(stack: Stack, pipeline: str) -> str:
    """The message if resources of a deployed stack were deleted without CloudFormation."""
    were, them = ("was", "it") if len(stack.lost) == 1 else ("were", "them")
    return (
        f"{' and '.join(stack.lost)} of the stack {stack.name} {were} deleted, and CloudFormation does not recreate "
        f"{them}: delete the pipeline (mlops delete {pipeline}), then resend the request."
    )


@dataclass(frozen=True)
class Bundle:
    """A template bundle as found: what it is by its bytes, and what compare-and-swap needs."""

    digest: str  # empty for what the orchestrator did not write, or cannot deliver
    etag: str
    version: str
    settled: bool  # old enough that no request that wrote it can still be on its way


@dataclass(frozen=True)
class Execution:
    """An execution of a delivery pipeline. Times are in seconds since the epoch."""

    id: str
    status: str
    revision: str = ""  # the bundle's version it took; empty while it hasn't yet
    started: float = 0.0
    updated: float = 0.0
    summary: str = ""  # why it was stopped


@dataclass(frozen=True)
class Action:
    """One action of an execution of a delivery pipeline."""

    stage: str
    name: str
    status: str
    external: str = ""  # the ARN of what it started, or the id of a build
    message: str = ""
    url: str = ""  # of what it started, in the AWS console


@dataclass(frozen=True)
class StateMachineRun:
    """What an execution of a state machine ran: its job, as (kind, name), and why it failed."""

    job: tuple[str, str] | None = None
    failure: str = ""
    registered: str = ""  # the ARN of the model package that it registered


@dataclass(frozen=True)
class Observed:
    """What exists under a plan's names."""

    delivery: Stack | None = None
    deployed: tuple[Stack | None, ...] = ()  # one for each stage
    bundle: Bundle | None = None
    execution: Execution | None = None
    pipeline_gone: bool = False  # the delivery stack is there, the pipeline it made is not

    @property
    def running(self) -> bool:
        """Whether the last execution has not ended."""
        return self.execution is not None and self.execution.status in RUNNING

    @property
    def is_current(self) -> bool:
        """Whether the last execution is of the bundle that is there: one that has not fetched it yet will."""
        if self.execution is None or self.bundle is None:
            return False
        return self.execution.revision == self.bundle.version if self.execution.revision else self.running


@dataclass(frozen=True)
class BestJob:
    """The best of the jobs that a job started."""

    kind: str
    name: str
    hyperparameters: Mapping[str, str]  # those that were found for it


@dataclass(frozen=True)
class Job:
    """A SageMaker job that a state machine runs or ran. Times are in seconds since the epoch."""

    kind: str
    name: str
    status: str
    progress: str = ""
    started: float | None = None
    ended: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)  # the final ones, by name
    artifact: str = ""  # the S3 URI of what it made
    is_model: bool = False  # whether that is a model
    own_containers: bool = False  # whether that is served by containers that the job's description names
    best: BestJob | None = None  # of the jobs that it started, the one that made it
    registered: str = ""  # the ARN of the model package that it is registered as


@dataclass(frozen=True)
class ModelPackage:
    """A model package: a version in a group, or one that is in no group."""

    arn: str
    status: str  # of its creation
    approval: str = ""  # of a version
    version: int = 0
