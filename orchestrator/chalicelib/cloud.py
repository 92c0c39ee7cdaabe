# SPDX-License-Identifier: Apache-2.0
"""AWS, as the orchestrator needs it: a protocol. aws makes the calls; the tests have a cloud in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from chalicelib.found import Bundle, Execution, Job, Stack
from chalicelib.plan import Plan

Document = Mapping[str, Any]


class Moved(Exception):
    """What was read before a conditional write is not what is there now."""


class AlreadyExists(Exception):
    """A stack of that name was made meanwhile."""


class PipelineGone(Exception):
    """A delivery stack's pipeline was deleted behind its back."""


class Cloud(Protocol):
    """What provisioning and status ask of AWS."""

    def stack(self, name: str) -> Stack | None:
        """A stack by name or id; None where there is none."""

    def bundle(self, key: str) -> Bundle | None:
        """The template bundle under a key; None where there is none."""

    def bundled(self, prefix: str, after: str, limit: int) -> tuple[list[str], bool]:
        """The first pipelines with a bundle whose names have a prefix and follow `after`; and whether more follow."""

    def latest_execution(self, pipeline: str) -> Execution | None:
        """A pipeline's latest execution; None before the first. Raises PipelineGone."""

    def put_bundle(self, plan: Plan, replaces: str | None) -> str:
        """Write a bundle where none is, or over the ETag given; returns its version. Raises Moved."""

    def remove_bundle(self, plan: Plan, version: str) -> None:
        """Take back one version of a bundle."""

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

    def pipeline_state(self, pipeline: str) -> Document:
        """GetPipelineState's document, dates as ISO 8601. Raises PipelineGone."""

    def first_failure(self, stack: Stack, since: float) -> str:
        """The first failed resource of a stack's last operation, as `Resource: message`; empty where none failed."""

    def jobs_failure(self, execution_arn: str) -> str:
        """Why a state machine's execution failed; empty where it hasn't."""

    def running_job(self, execution_arn: str) -> Job | None:
        """The job that a state machine's execution waits for; None where it waits for none."""
