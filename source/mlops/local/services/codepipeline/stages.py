# SPDX-License-Identifier: Apache-2.0
"""Who may be in a stage: one execution at a time, unless they run in parallel."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from mlops.local.services.codepipeline.records import Record, pipelines
from mlops.local.settings import TIMING


class Superseded(Exception):
    """A newer execution waits for the same stage, so this one will never enter it."""


class Stopped(Exception):
    """The execution was stopped while it waited."""


@dataclass
class Doors:
    """The stages of one pipeline."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    inside: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, list[str]] = field(default_factory=dict)

    def enter(self, execution: Record, stage: str) -> None:
        """Wait for the stage to be free, and its transition enabled."""
        if execution["executionMode"] == "PARALLEL":
            return
        own_id, queued = execution["pipelineExecutionId"], execution["executionMode"] == "QUEUED"
        with self.changed:
            queue = self.waiting.setdefault(stage, [])
            if not queued:
                queue.clear()  # whoever waited is superseded by us
            queue.append(own_id)
            self.changed.notify_all()
            try:
                while stage in self.inside or queue[0] != own_id or not _is_enabled(execution, stage):
                    _show_inbound(execution, stage, waits=True)
                    self.changed.wait(TIMING.poll)
                    if execution.get("stopRequested"):
                        raise Stopped
                    if own_id not in queue:
                        raise Superseded
                self.inside[stage] = own_id
            finally:
                if own_id in queue:
                    queue.remove(own_id)
                _show_inbound(execution, stage, waits=False)

    def leave(self, execution: Record, stage: str) -> None:
        with self.changed:
            if self.inside.get(stage) == execution["pipelineExecutionId"]:
                del self.inside[stage]
            self.changed.notify_all()


def _is_enabled(execution: Record, stage: str) -> bool:
    pipeline = pipelines.get(execution["pipelineName"])
    if pipeline is None:
        raise Stopped
    transition = pipeline["stageStates"].get(stage, {}).get("inboundTransitionState", {})
    return bool(transition.get("enabled", True))


def _show_inbound(execution: Record, stage: str, waits: bool) -> None:
    pipeline = pipelines.get(execution["pipelineName"])
    if pipeline is None:
        return
    state = pipeline["stageStates"].setdefault(stage, {})
    if waits:
        state["inboundExecution"] = {
            "pipelineExecutionId": execution["pipelineExecutionId"],
            "status": execution["status"],
        }
    elif state.get("inboundExecution", {}).get("pipelineExecutionId") == execution["pipelineExecutionId"]:
        del state["inboundExecution"]
