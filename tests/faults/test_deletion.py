# SPDX-License-Identifier: Apache-2.0
"""A deletion, a step a call: any fault at any call is made up for, and of a deletion and a request one gives way."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chalicelib.aws.observed import Stack
from chalicelib.catalog import Catalog
from chalicelib.errors import Conflict, NotFound, OrchestratorError, Unavailable
from chalicelib.intake.check import check_request
from chalicelib.managing import delete as deleting
from chalicelib.managing.delete import Deletion
from chalicelib.planning import plan
from chalicelib.planning.plan import Plan
from chalicelib.provisioning.provision import Provisioned, provision
from chalicelib.settings import Settings

from tests.faults.turns import together
from tests.support.memory import Fault, Killed, MemoryCloud, World

Make = Callable[..., Plan]
Delete = Callable[..., Deletion]


@pytest.fixture
def make(catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]) -> Make:
    def of(**changes: Any) -> Plan:
        body = json.dumps({**example("byom_realtime_builtin"), **changes}).encode()
        return plan.make(check_request(body, catalog, settings), settings, catalog)

    return of


@pytest.fixture
def delete(make: Make, settings: Settings) -> Delete:
    target = deleting.target(make().name, settings)

    def one_call(cloud: MemoryCloud, **options: bool) -> Deletion:
        return deleting.delete(target, cloud, **options)

    return one_call


def running(plan: Plan, ends: str = "Succeeded") -> World:
    """A world in which a plan was provisioned and has ended."""
    world = World()
    provision(plan, MemoryCloud(world))
    world.settle(ends)
    world.writes.clear()
    return world


def until_deleted(delete: Delete, world: World) -> list[Deletion]:
    """The calls that a caller makes, each after what Retry-After asks for."""
    done: list[Deletion] = []
    for _ in range(10):
        try:
            done.append(delete(MemoryCloud(world)))
        except Conflict as busy:
            if not busy.retry_after:
                raise
        except NotFound:
            return done
        if done and done[-1].retry_after is None:
            return done
        world.settle()
    raise AssertionError("it was never deleted")


def gone(world: World) -> bool:
    return not (world.stacks or world.bundles or world.executions)


def test_a_pipeline_is_deleted_a_stack_a_call(make: Make, delete: Delete) -> None:
    world = running(make())
    done = until_deleted(delete, world)
    assert [one.left for one in done] == [(make().name, make().delivery_stack), (make().delivery_stack,), ()]
    assert world.writes == ["put_bundle", "delete_stack", "delete_stack", "delete_bundle"]
    assert gone(world)
    with pytest.raises(NotFound):
        delete(MemoryCloud(world))


def test_a_stack_that_is_being_deleted_is_waited_for(make: Make, delete: Delete) -> None:
    world = running(make())
    first = delete(MemoryCloud(world))
    writes = list(world.writes)
    assert delete(MemoryCloud(world)) == first
    assert world.writes == writes


def test_a_dry_run_writes_nothing(make: Make, delete: Delete) -> None:
    world = running(make())
    told = delete(MemoryCloud(world), dry_run=True)
    assert told.left == (make().name, make().delivery_stack)
    assert world.writes == []


@pytest.mark.parametrize("left", ["nothing", "delivery", "deployed", "bundle", "pipeline", "no bundle"])
def test_whatever_is_left_of_it_can_be_deleted(make: Make, delete: Delete, left: str) -> None:
    world = running(make())
    if left in ("deployed", "bundle"):
        world.executions.pop(world.stacks.pop(make().delivery_stack).outputs["PipelineName"])
    if left in ("delivery", "bundle"):
        world.stacks.pop(make().name)
    if left == "pipeline":
        world.executions.clear()
    if left == "no bundle":
        world.bundles.clear()
    assert until_deleted(delete, world)[-1].retry_after is None
    assert gone(world)


def test_the_same_request_makes_it_anew(make: Make, delete: Delete) -> None:
    world = running(make())
    until_deleted(delete, world)
    assert provision(make(), MemoryCloud(world)).message == "success: stack creation started"
    world.settle()
    assert world.picture() == running(make()).picture()


@pytest.mark.parametrize("fault", Fault)
def test_a_deletion_survives_any_fault_at_any_call(make: Make, delete: Delete, fault: Fault) -> None:
    for before, at in itertools.product(range(3), range(12)):
        world = running(make())
        for _ in range(before):
            delete(MemoryCloud(world))
            world.settle()
        with contextlib.suppress(Unavailable, Killed):
            delete(MemoryCloud(world, {at: fault}))
        world.settle()
        until_deleted(delete, world)
        assert gone(world), (before, at)


# --- what is refused -----------------------------------------------------------------------------------------------


def refused(delete: Delete, world: World, **options: bool) -> Conflict:
    before = (dict(world.stacks), dict(world.bundles))
    with pytest.raises(Conflict) as told:
        delete(MemoryCloud(world), **options)
    assert (world.stacks, world.bundles) == before
    return told.value


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_running_pipeline_is_to_be_stopped_first(make: Make, delete: Delete, dry_run: bool) -> None:
    told = refused(delete, running(make(), "InProgress"), dry_run=dry_run)
    assert "Stop it first" in told.message
    assert told.retry_after is None


@pytest.mark.parametrize("which", ["delivery", "deployed"])
def test_a_protected_stack_is_named(make: Make, delete: Delete, which: str) -> None:
    world = running(make())
    name = make().name if which == "deployed" else make().delivery_stack
    world.stacks[name] = replace(world.stacks[name], protected=True)
    assert name in refused(delete, world).message


def test_somebody_elses_pipeline_is_unknown(make: Make, delete: Delete) -> None:
    name = make().delivery_stack
    world = World(stacks={name: Stack("id", name, "CREATE_COMPLETE", tags={"stack_name": name})})
    with pytest.raises(NotFound):
        delete(MemoryCloud(world))
    assert world.writes == []


@pytest.mark.parametrize("name", ["", "x", "mlops-orchestrator", "mlops-pipeline-", "mlops-pipeline-a b", "a" * 200])
def test_what_cannot_be_a_pipelines_name_is_not_even_asked_for(settings: Settings, name: str) -> None:
    with pytest.raises(NotFound):
        deleting.delete(deleting.target(name, settings), MemoryCloud(World()))


def test_a_deletion_that_failed_is_told_and_tried_again(make: Make, delete: Delete) -> None:
    world = running(make())
    world.undeletable.add(make().name)
    delete(MemoryCloud(world))
    world.settle()
    with pytest.raises(Conflict) as failed:
        delete(MemoryCloud(world))
    assert make().name in failed.value.message
    assert failed.value.detail == "Endpoint (AWS::SageMaker::Endpoint): it is in use"
    assert failed.value.retry_after
    world.undeletable.clear()
    world.settle()
    until_deleted(delete, world)
    assert gone(world)


# --- a request meanwhile -------------------------------------------------------------------------------------------


def test_a_request_during_a_deletion_waits_and_then_makes_it_anew(make: Make, delete: Delete) -> None:
    for calls in range(1, 3):
        world = running(make())
        for _ in range(calls - 1):
            delete(MemoryCloud(world))
            world.settle()
        delete(MemoryCloud(world))
        with pytest.raises(Conflict) as busy:
            provision(make(), MemoryCloud(world))
        assert busy.value.retry_after
        until_deleted(delete, world)
        assert provision(make(), MemoryCloud(world)).changed


def test_a_deletion_that_was_given_up_is_undone_by_a_request(make: Make, delete: Delete) -> None:
    world = running(make())
    delete(MemoryCloud(world))
    world.settle()
    assert provision(make(), MemoryCloud(world)).changed
    world.settle()
    assert world.stacks[make().name].status == "CREATE_COMPLETE"
    assert next(iter(world.bundles.values())).digest == make().digest


def worlds(make: Make) -> dict[str, Callable[[], World]]:
    """The situations in which a request and a deletion may meet."""
    planned = make()

    def without(*names: str) -> World:
        world = running(planned)
        for name in names:
            stack = world.stacks.pop(name)
            world.executions.pop(stack.outputs.get("PipelineName", ""), None)
        return world

    return {
        "succeeded": lambda: running(planned),
        "failed": lambda: running(planned, "Failed"),
        "no deployed stack": lambda: without(planned.name),
        "no delivery stack": lambda: without(planned.delivery_stack),
        "a bundle alone": lambda: without(planned.name, planned.delivery_stack),
    }


@pytest.mark.parametrize("change", [{}, {"rerun": True}, {"inference_instance": "ml.m5.xlarge"}])
def test_a_request_and_a_deletion_at_the_same_time(make: Make, delete: Delete, change: dict[str, Any]) -> None:
    """Whatever the order of their calls: a pipeline that a request was told of runs its bundle, and can be deleted."""
    wanted = make(**change)
    for situation, made in worlds(make).items():
        for ahead, overtaking, more in itertools.product(range(8), range(8), (0, 1, 3)):
            world = made()
            turns = [0] * ahead + [1] * overtaking + [0] * more
            told, deleted = together(world, [lambda cloud: provision(wanted, cloud), delete], turns)
            at = (situation, ahead, overtaking, more, told, deleted)
            for result in (told, deleted):
                assert isinstance(result, Provisioned | Deletion | Conflict | Unavailable | NotFound), at
            new = isinstance(told, Provisioned) and told.message == "success: stack creation started"
            world.settle()
            if new and not isinstance(deleted, Deletion):
                assert world.stacks[wanted.name].status.endswith("_COMPLETE"), at
                assert world.stacks[wanted.delivery_stack].status == "CREATE_COMPLETE", at
            if new and wanted.delivery_stack in world.stacks:
                ((*_, last),) = world.executions.values()
                assert last.status == "Succeeded", at
                assert [bundle.digest for bundle in world.bundles.values()] == [wanted.digest], at
            until_deleted(delete, world)
            assert gone(world), at


def test_two_deletions_at_the_same_time(make: Make, delete: Delete) -> None:
    for made in worlds(make).values():
        for ahead, overtaking in itertools.product(range(9), range(9)):
            world = made()
            results = together(world, [delete, delete], [0] * ahead + [1] * overtaking)
            for result in results:
                assert isinstance(result, Deletion | OrchestratorError)
                assert not isinstance(result, Conflict) or result.retry_after
            world.settle()
            until_deleted(delete, world)
            assert gone(world)
