# SPDX-License-Identifier: Apache-2.0
"""Stops a pipeline's executions, and the state machines and jobs that they wait for.

An execution is stopped before its state machine and job, so it ends as Stopped and not as Failed. A deployment is not
interrupted, because the stack would be incomplete; the execution ends when the stack operation has ended. Stopping is
idempotent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.aws.observed import RUNNING, Stack
from chalicelib.aws.port import Cloud, PipelineGone
from chalicelib.names import PIPELINE_OUTPUT, is_build, of_delivery_stack

MOST = 20  # executions to check; only the latest ones can be running


@dataclass
class Stopped:
    """What was stopped."""

    name: str
    executions: list[str] = field(default_factory=list)
    jobs: list[tuple[str, str]] = field(default_factory=list)  # kind and name
    builds: list[str] = field(default_factory=list)  # ids
    deploying: bool = False

    def document(self) -> dict[str, Any]:
        """The response of POST /pipelines/{name}/stop."""
        return {
            "message": self.message,
            "name": self.name,
            "executions": self.executions,
            "jobs": [{"kind": kind, "name": name} for kind, name in self.jobs],
            "builds": self.builds,
        }

    @property
    def message(self) -> str:
        """The result as a sentence."""
        if not self.executions:
            return f"The pipeline {self.name} is not running."
        if self.deploying:
            return f"The pipeline {self.name} stops when its stack has been created or updated."
        return f"The pipeline {self.name} is stopping."


def stop(delivery: Stack, cloud: Cloud) -> Stopped:
    """Stop a pipeline, given by its delivery stack."""
    stopped = Stopped(of_delivery_stack(delivery.name))
    pipeline = delivery.outputs.get(PIPELINE_OUTPUT)
    if not pipeline:
        return stopped
    try:
        latest, _ = cloud.executions(pipeline, MOST, "")
        stopped.executions = [execution.id for execution in latest if execution.status in RUNNING]
        for execution in stopped.executions:
            cloud.stop(pipeline, execution, abandon=False)
        state = cloud.pipeline_state(pipeline) if stopped.executions else {}
    except PipelineGone:
        return Stopped(stopped.name)
    for stage in state.get("stageStates", []):
        execution = (stage.get("latestExecution") or {}).get("pipelineExecutionId", "")
        if execution in stopped.executions:
            for action in stage.get("actionStates", []):
                _stop_action(pipeline, execution, action.get("latestExecution") or {}, stopped, cloud)
    return stopped


def _stop_action(pipeline: str, execution: str, latest: Mapping[str, Any], stopped: Stopped, cloud: Cloud) -> None:
    if latest.get("status") != "InProgress":
        return
    external = str(latest.get("externalExecutionId", ""))
    if "token" in latest:  # it waits for an approval, which may never be given
        cloud.stop(pipeline, execution, abandon=True)
    elif ":cloudformation:" in external:
        stopped.deploying = True
    elif is_build(external):
        cloud.stop_build(external)
        stopped.builds.append(external)
    elif ":states:" in external:
        cloud.stop_states(external)
        if job := cloud.state_machine_run(external).job:  # Step Functions stops it by best effort
            cloud.stop_job(*job)
            stopped.jobs.append(job)
