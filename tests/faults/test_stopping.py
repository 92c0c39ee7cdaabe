# SPDX-License-Identifier: Apache-2.0
"""A stop: the run, the state machine and the job, whichever call fails; a deployment is not cut off."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.errors import Unavailable
from chalicelib.intake.check import check_request
from chalicelib.managing import delete as deleting
from chalicelib.managing import stop as stopping
from chalicelib.planning import plan
from chalicelib.planning.plan import Plan
from chalicelib.provisioning.provision import provision
from chalicelib.settings import Settings

from tests.support.memory import Fault, Killed, MemoryCloud, World

RUN = "arn:aws:states:us-east-1:123456789012:execution:machine:run"
JOB = ("TrainingJob", "churn-training-1a2b")


@pytest.fixture
def planned(catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]) -> Plan:
    body = json.dumps(example("model_training_builtin")).encode()
    return plan.make(check_request(body, catalog, settings), settings, catalog)


def world_in(planned: Plan, **latest: Any) -> World:
    """A world in which the pipeline runs, its action in progress being this."""
    world = World(jobs={RUN: JOB})
    provision(planned, MemoryCloud(world))
    world.settle(ends="InProgress")
    ((pipeline, (execution,)),) = world.executions.items()
    world.stages[pipeline] = [
        {
            "stageName": "Stage",
            "latestExecution": {"pipelineExecutionId": execution.id, "status": "InProgress"},
            "actionStates": [{"actionName": "action", "latestExecution": {"status": "InProgress", **latest}}],
        }
    ]
    return world


def stop(planned: Plan, world: World, faults: dict[int, Fault] | None = None) -> stopping.Stopped:
    return stopping.stop(world.stacks[planned.delivery_stack], MemoryCloud(world, faults))


def statuses(world: World) -> list[str]:
    ((*executions,),) = world.executions.values()
    return [execution.status for execution in executions]


def test_the_run_and_its_build_are_stopped(planned: Plan) -> None:
    build = "mlops-pipeline-v1-byompipelineimagebuilder:0b6a3ee3-5b4c-4f0e-9d4e-1f2a3b4c5d6e"
    world = world_in(planned, externalExecutionId=build)
    stopped = stop(planned, world)
    assert (stopped.builds, stopped.jobs, world.stopped) == ([build], [], {build})
    assert stopped.document()["builds"] == [build]
    assert statuses(world) == ["Stopping"]


def test_the_run_and_its_job_are_stopped(planned: Plan) -> None:
    world = world_in(planned, externalExecutionId=RUN)
    told = stop(planned, world)
    assert (told.jobs, len(told.executions)) == ([JOB], 1)
    assert told.message == f"The pipeline {planned.name} is stopping."
    assert world.stopped == {RUN, JOB[1]}
    assert world.writes[-3:] == ["stop", "stop_states", "stop_job"]
    world.settle()
    assert statuses(world) == ["Stopped"]


def test_what_waits_for_a_person_is_stopped_at_once(planned: Plan) -> None:
    world = world_in(planned, token="t")
    stop(planned, world)
    assert statuses(world) == ["Stopped"]


def test_a_deployment_is_not_cut_off(planned: Plan) -> None:
    world = world_in(planned, externalExecutionId="arn:aws:cloudformation:us-east-1:1:stack/x/y")
    told = stop(planned, world)
    assert "when its stack has been created or updated" in told.message
    assert statuses(world) == ["Stopping"]


def test_every_run_is_stopped(planned: Plan) -> None:
    world = world_in(planned, externalExecutionId=RUN)
    (pipeline,) = world.executions
    world._begin(pipeline)
    assert len(stop(planned, world).executions) == 2
    assert statuses(world) == ["Stopping", "Stopping"]


@pytest.mark.parametrize("state", ["ended", "new", "pipeline gone"])
def test_where_nothing_runs_nothing_is_stopped(planned: Plan, state: str) -> None:
    world = world_in(planned, externalExecutionId=RUN)
    if state == "ended":
        world.settle()
    if state == "new":
        world.stacks.clear()
        world.executions.clear()
        world.bundles.clear()
        provision(planned, MemoryCloud(world))
    if state == "pipeline gone":
        world.executions.clear()
    told = stop(planned, world)
    assert told.document() == {
        "message": f"The pipeline {planned.name} is not running.",
        "name": planned.name,
        "executions": [],
        "jobs": [],
        "builds": [],
    }
    assert world.stopped == set()


@pytest.mark.parametrize("fault", Fault)
def test_a_stop_survives_any_fault_at_any_call(planned: Plan, fault: Fault) -> None:
    for at in range(7):
        world = world_in(planned, externalExecutionId=RUN)
        with contextlib.suppress(Unavailable, Killed):
            stop(planned, world, {at: fault})
        stop(planned, world)
        assert world.stopped == {RUN, JOB[1]}, at
        world.settle()
        assert statuses(world) == ["Stopped"], at


def test_a_running_pipeline_is_stopped_and_deleted(planned: Plan, settings: Settings) -> None:
    world = world_in(planned, externalExecutionId=RUN)
    target = deleting.target(planned.name, settings)
    assert "running" not in deleting.delete(target, MemoryCloud(world), stop=True, dry_run=True).message
    assert world.stopped == set()
    assert deleting.delete(target, MemoryCloud(world), stop=True).retry_after
    assert world.stopped == {RUN, JOB[1]}
    for _ in range(4):
        world.settle()
        done = deleting.delete(target, MemoryCloud(world), stop=True)
        if done.deleted:
            break
    assert done.deleted
    assert not world.stacks
