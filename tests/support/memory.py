# SPDX-License-Identifier: Apache-2.0
"""AWS in memory, as the orchestrator sees it, which can fail any call in any way.

tests/faults/test_contract.py holds it against moto and the account on the laptop.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from chalicelib import names
from chalicelib.aws.observed import RUNNING, Action, Bundle, Execution, Job, ModelPackage, Stack, StateMachineRun
from chalicelib.aws.port import AlreadyExists, BundleSource, PipelineGone, PipelineNames, PreconditionFailed
from chalicelib.errors import Unavailable
from chalicelib.planning.plan import OWNER_TAG, Plan


class Fault(Enum):
    """The ways in which a call can go wrong; the last two end the function that makes it."""

    THROTTLED = "throttled"
    SERVER_ERROR = "server error"
    DENIED = "denied"
    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"


class Killed(BaseException):
    """The function is gone: nothing catches this."""


@dataclass
class World:
    """Everything that exists, shared by all the clouds that look at it."""

    stacks: dict[str, Stack] = field(default_factory=dict)
    bundles: dict[str, Bundle] = field(default_factory=dict)
    executions: dict[str, list[Execution]] = field(default_factory=dict)
    starts: dict[tuple[str, str], str] = field(default_factory=dict)  # pipeline and token -> execution
    stages: dict[str, list[Any]] = field(default_factory=dict)  # as a pipeline's state has them
    writes: list[str] = field(default_factory=list)
    lost: dict[str, list[str]] = field(default_factory=dict)  # stack -> what was deleted behind its back
    made: int = 0
    jobs: dict[str, tuple[str, str]] = field(default_factory=dict)  # of state machines' executions
    stopped: set[str] = field(default_factory=set)  # executions of state machines, and jobs
    undeletable: set[str] = field(default_factory=set)  # stacks whose deletion fails
    approvals: dict[str, str] = field(default_factory=dict)  # of model packages; the others are approved
    _written: dict[str, BundleSource] = field(default_factory=dict)  # what each bundle's version holds
    _before: dict[str, list[Bundle | None]] = field(default_factory=dict)  # a key's earlier versions

    def settle(self, ends: str = "Succeeded") -> None:
        """Let everything that is on its way end; running executions end as `ends`."""
        for name, stack in list(self.stacks.items()):
            if stack.status == "DELETE_IN_PROGRESS" and name in self.undeletable:
                self.stacks[name] = replace(stack, status="DELETE_FAILED", reason="it is in use")
            elif stack.status == "DELETE_IN_PROGRESS":
                del self.stacks[name]
                self.executions.pop(stack.outputs.get("PipelineName", ""), None)
            elif stack.status == "CREATE_IN_PROGRESS":
                outputs = {"PipelineName": f"{name}-pipeline"} if OWNER_TAG in stack.tags else {}
                self.stacks[name] = replace(stack, status="CREATE_COMPLETE", outputs=outputs)
                if outputs:
                    self._begin(outputs["PipelineName"])
            elif stack.status == "UPDATE_IN_PROGRESS":
                self.stacks[name] = replace(stack, status="UPDATE_COMPLETE")
                if "PipelineName" in stack.outputs:
                    self._begin(stack.outputs["PipelineName"])
            elif stack.status == "UPDATE_ROLLBACK_IN_PROGRESS":
                self.stacks[name] = replace(stack, status="UPDATE_ROLLBACK_COMPLETE")
        for pipeline, executions in self.executions.items():
            for index, execution in enumerate(executions):
                if execution.status == "InProgress":
                    executions[index] = self._end(pipeline, execution, ends)
                elif execution.status == "Stopping":
                    executions[index] = replace(execution, status="Stopped")
        self.bundles = {key: replace(bundle, settled=True) for key, bundle in self.bundles.items()}

    def _begin(self, pipeline: str, version: str = "") -> None:
        self.made += 1
        self.executions.setdefault(pipeline, []).append(Execution(f"execution-{self.made}", "InProgress", version))

    def _end(self, pipeline: str, execution: Execution, ends: str) -> Execution:
        name = pipeline.removesuffix("-pipeline").removesuffix("-codepipeline")
        version = execution.revision or self._latest(name)
        plan = self._written.get(version)
        if not isinstance(plan, Plan):  # there is nothing to deploy
            return replace(execution, status="Failed", revision=version)
        if ends == "Succeeded":
            for stage in plan.stages:
                status = "UPDATE_COMPLETE" if stage.stack in self.stacks else "CREATE_COMPLETE"
                self.stacks[stage.stack] = Stack(
                    f"id/{stage.stack}", stage.stack, status, parameters=dict(stage.parameters), role=plan.role
                )
        return replace(execution, status=ends, revision=version)

    def _latest(self, name: str) -> str:
        return next((bundle.version for key, bundle in self.bundles.items() if f"/{name}/" in key), "")

    def picture(self) -> Any:
        """What a user would see, without the names of things that differ from run to run."""
        latest = {pipeline: (runs[-1].status if runs else None) for pipeline, runs in self.executions.items()}
        running = {
            pipeline: self._written[runs[-1].revision].digest for pipeline, runs in self.executions.items() if runs
        }
        return (
            {
                name: (stack.status.removeprefix("UPDATE_").removeprefix("CREATE_"), stack.parameters)
                for name, stack in self.stacks.items()
            },
            {key: bundle.digest for key, bundle in self.bundles.items()},
            latest,
            running,
        )


def _call(write: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def called(cloud: MemoryCloud, *args: Any, **options: Any) -> Any:
            cloud.calls.append(method.__name__)
            fault = cloud.faults.pop(len(cloud.calls) - 1, None)
            if fault is Fault.KILLED_BEFORE:
                raise Killed
            if fault in (Fault.THROTTLED, Fault.SERVER_ERROR, Fault.DENIED, Fault.REQUEST_LOST):
                raise Unavailable(f"AWS: {fault.value}", retry_after=5)
            answer = method(cloud, *args, **options)
            if write and not isinstance(answer, Exception):
                cloud.world.writes.append(method.__name__)
            if fault is Fault.KILLED_AFTER:
                raise Killed
            if fault is Fault.ANSWER_LOST:
                raise Unavailable("AWS: answer lost", retry_after=5)
            return answer

        return called

    return decorate


class MemoryCloud:
    """One request's connection to a world. `faults` says which call (counted from 0) fails, and how."""

    def __init__(self, world: World, faults: Mapping[int, Fault] | None = None) -> None:
        self.world = world
        self.faults = dict(faults or {})
        self.calls: list[str] = []

    @_call(write=False)
    def stack(self, name: str) -> Stack | None:
        return self.world.stacks.get(name)

    @_call(write=False)
    def bundle(self, key: str) -> Bundle | None:
        return self.world.bundles.get(key)

    @_call(write=False)
    def list_bundled_pipelines(self, prefix: str, after: str, limit: int) -> tuple[list[str], bool]:
        found = sorted(f"{names.of_bundle_folder(key.rpartition('/')[0])}/" for key in self.world.bundles)
        rest = [name[:-1] for name in found if name.startswith(prefix) and (not after or name > f"{after}0")]
        return rest[:limit], len(rest) > limit

    @_call(write=False)
    def latest_execution(self, pipeline: str) -> Execution | None:
        if pipeline not in self.world.executions:
            raise PipelineGone
        return (self.world.executions[pipeline] or [None])[-1]  # type: ignore[list-item]

    @_call(write=True)
    def put_bundle(self, plan: BundleSource, replaces: str | None) -> str:
        there = self.world.bundles.get(plan.bundle_key)
        if (there.etag if there else None) != replaces:
            raise PreconditionFailed
        self.world.made += 1
        version = f"version-{self.world.made}"
        etag = hashlib.md5(plan.bundle).hexdigest()
        self.world._before.setdefault(plan.bundle_key, []).append(there)
        self.world.bundles[plan.bundle_key] = Bundle(plan.digest, etag, version, settled=False)
        self.world._written[version] = plan
        return version

    @_call(write=True)
    def remove_bundle(self, plan: PipelineNames, version: str) -> None:
        there = self.world.bundles.get(plan.bundle_key)
        if there is not None and there.version == version:
            del self.world.bundles[plan.bundle_key]
            if before := self.world._before[plan.bundle_key].pop():
                self.world.bundles[plan.bundle_key] = before

    @_call(write=True)
    def delete_bundle(self, key: str, etag: str) -> None:
        there = self.world.bundles.get(key)
        if there is not None and there.etag != etag:
            raise PreconditionFailed
        if there is not None:
            self.world._before[key].append(self.world.bundles.pop(key))

    @_call(write=True)
    def create_delivery(self, plan: Plan) -> str:
        if plan.delivery_stack in self.world.stacks:
            raise AlreadyExists
        self.world.made += 1
        stack = Stack(
            f"id-{self.world.made}/{plan.delivery_stack}",
            plan.delivery_stack,
            "CREATE_IN_PROGRESS",
            parameters=dict(plan.delivery_parameters),
            tags=dict(plan.tags),
            created=float(self.world.made),
        )
        self.world.stacks[plan.delivery_stack] = stack
        return stack.id

    @_call(write=True)
    def update_delivery(self, plan: Plan) -> bool:
        stack = self.world.stacks[plan.delivery_stack]
        if dict(stack.parameters) == dict(plan.delivery_parameters):
            return False
        self.world.stacks[plan.delivery_stack] = replace(
            stack, status="UPDATE_IN_PROGRESS", parameters=dict(plan.delivery_parameters)
        )
        return True

    @_call(write=True)
    def delete_stack(self, stack: Stack) -> None:
        self.world.stacks[stack.name] = replace(stack, status="DELETE_IN_PROGRESS")

    @_call(write=True)
    def continue_rollback(self, stack: Stack) -> None:
        self.world.stacks[stack.name] = replace(stack, status="UPDATE_ROLLBACK_IN_PROGRESS")

    @_call(write=True)
    def start(self, pipeline: str, version: str, token: str) -> str:
        if (pipeline, token) not in self.world.starts:
            self.world._begin(pipeline, version)
            self.world.starts[pipeline, token] = self.world.executions[pipeline][-1].id
        return self.world.starts[pipeline, token]

    @_call(write=False)
    def pipeline_state(self, pipeline: str) -> Mapping[str, Any]:
        if pipeline not in self.world.executions:
            raise PipelineGone
        return {"stageStates": self.world.stages.get(pipeline, [])}

    @_call(write=False)
    def lost(self, stack: Stack) -> list[str]:
        return self.world.lost.get(stack.name, [])

    @_call(write=False)
    def executions(self, pipeline: str, limit: int, token: str) -> tuple[list[Execution], str]:
        if pipeline not in self.world.executions:
            raise PipelineGone
        return self.world.executions[pipeline][::-1][:limit], ""

    @_call(write=True)
    def stop(self, pipeline: str, execution_id: str, abandon: bool) -> None:
        runs = self.world.executions[pipeline]
        for index, execution in enumerate(runs):
            if execution.id == execution_id and execution.status in RUNNING:
                runs[index] = replace(execution, status="Stopped" if abandon else "Stopping")

    @_call(write=True)
    def stop_states(self, execution_arn: str) -> None:
        self.world.stopped.add(execution_arn)

    @_call(write=True)
    def stop_job(self, kind: str, name: str) -> None:
        self.world.stopped.add(name)

    @_call(write=True)
    def stop_build(self, build_id: str) -> None:
        self.world.stopped.add(build_id)

    def actions(self, pipeline: str, execution_id: str) -> list[Action]:
        raise NotImplementedError("status is tested against the account on the laptop")

    @_call(write=False)
    def first_failure(self, stack: Stack, since: float, until: float | None = None) -> str:
        return f"Endpoint (AWS::SageMaker::Endpoint): {stack.reason}"

    @_call(write=False)
    def state_machine_run(self, execution_arn: str) -> StateMachineRun:
        return StateMachineRun(self.world.jobs.get(execution_arn))

    def job(self, kind: str, name: str) -> Job | None:
        raise NotImplementedError("status is tested against the account on the laptop")

    @_call(write=False)
    def model_package(self, arn: str) -> ModelPackage | None:
        return ModelPackage(arn, "Completed", self.world.approvals.get(arn, "Approved"), int(arn.rpartition("/")[2]))

    def model_packages(self, group: str, approval: str = "") -> list[ModelPackage] | None:
        raise NotImplementedError("resolving is tested on its own and against the account on the laptop")
