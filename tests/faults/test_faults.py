# SPDX-License-Identifier: Apache-2.0
"""Every call x every fault: nothing half-made stays, and one repeat ends where a clean first attempt would have."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import random
from dataclasses import replace
from typing import Any

import pytest
from chalicelib.aws.observed import Stack
from chalicelib.catalog import Catalog
from chalicelib.errors import Conflict, Unavailable
from chalicelib.planning.plan import Plan
from chalicelib.provisioning.provision import Provisioned, provision
from chalicelib.settings import Settings

from tests.faults.changes import Make
from tests.faults.turns import together
from tests.support.blueprint_folders import EXAMPLES
from tests.support.memory import Fault, Killed, MemoryCloud, World


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def make(request: pytest.FixtureRequest, catalog: Catalog, settings: Settings) -> Make:
    """Plans of each type's example, with changes."""
    settings = replace(settings, use_model_registry=".registry" in request.param.name)
    return Make(json.loads(request.param.read_bytes()), catalog, settings)


def changed(make: Make) -> Plan:
    return make.changed()


def running(plan: Plan) -> World:
    """A world in which a plan was provisioned and has succeeded."""
    world = World()
    provision(plan, MemoryCloud(world))
    world.settle()
    world.writes.clear()
    return world


def attempt(plan: Plan, world: World, faults: dict[int, Fault] | None = None) -> Provisioned | None:
    """One request; None where it was refused or died."""
    with contextlib.suppress(Unavailable, Killed):
        return provision(plan, MemoryCloud(world, faults))
    return None


def until_done(plan: Plan, world: World) -> Provisioned:
    """One repeat of the request, as a caller makes it: a 409 with Retry-After is waited for."""
    for _ in range(4):
        done, retry_after = None, None
        try:
            done = provision(plan, MemoryCloud(world))
        except Conflict as busy:
            retry_after = busy.retry_after
        world.settle()
        if done:
            return done
        assert retry_after, "refused for good"
    raise AssertionError("it never got done")


def calls_of(plan: Plan, world: World) -> int:
    cloud = MemoryCloud(world)
    provision(plan, cloud)
    return len(cloud.calls)


def test_a_new_pipeline_takes_three_calls(make: Make) -> None:
    cloud = MemoryCloud(World())
    planned = make()
    done = provision(planned, cloud)
    assert done.message == "success: stack creation started"
    checks = ["model_package"] * len(planned.preconditions)  # one each
    assert cloud.calls == ["stack", *checks, "put_bundle", "create_delivery"]


def test_the_same_request_again_writes_nothing_and_says_how_to_run_again(make: Make) -> None:
    world = running(make())
    cloud = MemoryCloud(world)
    done = provision(make(), cloud)
    assert not done.changed
    assert "No updates are to be performed." in done.message
    assert ('"rerun": true' in done.message) is bool(make().stages)  # else the message is the predecessor's
    assert world.writes == []
    assert cloud.calls == ["stack", "stack", "bundle", "latest_execution", *["lost" for _ in make().stages]]


def with_stages(make: Make) -> None:
    """Go on for pipelines that deploy stacks."""
    if not make().stages:
        pytest.skip("its pipeline deploys no stack")


@pytest.mark.parametrize("ended", ["Succeeded", "Failed"])
def test_a_deployed_stack_that_lost_a_resource_is_left_alone_and_named(make: Make, ended: str) -> None:
    with_stages(make)
    world = running(make())
    world.lost[make().name] = ["AWS::SageMaker::Endpoint churn"]
    (executions,) = world.executions.values()
    executions[-1] = replace(executions[-1], status=ended)
    for asked in (make(), changed(make), make(rerun=True)):
        with pytest.raises(Conflict) as refused:
            provision(asked, MemoryCloud(world))
        assert refused.value.retry_after is None
        assert f"AWS::SageMaker::Endpoint churn of the stack {make().name} was deleted" in refused.value.message
    assert world.writes == []


@pytest.mark.parametrize("which", ["delivery", "deployed", "hollow"])
def test_a_protected_stack_is_not_deleted_and_named(make: Make, which: str) -> None:
    world = running(make())
    name = make().name if which == "deployed" else make().delivery_stack
    if which == "hollow":
        world.executions.clear()
    status = "CREATE_COMPLETE" if which == "hollow" else "ROLLBACK_COMPLETE"
    world.stacks[name] = replace(world.stacks[name], status=status, protected=True)
    with pytest.raises(Conflict) as refused:
        provision(make(), MemoryCloud(world))
    assert refused.value.retry_after is None
    assert f"--stack-name {name}" in refused.value.message
    assert world.writes == []


def test_the_same_request_while_the_first_is_on_its_way_writes_nothing(make: Make) -> None:
    world = World()
    first = provision(make(), MemoryCloud(world))
    world.writes.clear()
    assert provision(make(), MemoryCloud(world)).pipeline_id == first.pipeline_id
    assert world.writes == []


def test_a_changed_request_updates_and_runs(make: Make) -> None:
    world = running(make())
    done = provision(changed(make), MemoryCloud(world))
    assert done.changed
    assert world.writes == ["put_bundle", "start" if make().stages else "update_delivery"]
    world.settle()
    assert world.picture() == running_after(make(), changed(make))


def running_after(*plans: Plan) -> Any:
    """What one sees after these plans were provisioned one after the other, each to its end."""
    world = World()
    for one in plans:
        provision(one, MemoryCloud(world))
        world.settle()
    return world.picture()


def test_rerun_runs_the_same_bundle_again(make: Make) -> None:
    world = running(make())
    provision(make(rerun=True), MemoryCloud(world))
    assert world.writes == ["start"]
    (executions,) = world.executions.values()
    assert [execution.status for execution in executions] == ["Succeeded", "InProgress"]


def test_a_failed_run_is_run_again_by_the_same_request(make: Make) -> None:
    world = World()
    provision(make(), MemoryCloud(world))
    world.settle(ends="Failed")
    assert provision(make(), MemoryCloud(world)).changed
    world.settle()
    assert world.picture() == running_after(make())


@pytest.mark.parametrize("fault", Fault)
def test_a_new_pipeline_survives_any_fault_at_any_call(make: Make, fault: Fault) -> None:
    for at in range(calls_of(make(), World())):
        for settled in (False, True):
            world = World()
            attempt(make(), world, {at: fault})
            if settled:
                world.settle()
            until_done(make(), world)
            assert world.picture() == running_after(make()), (at, settled)
            assert len(world.stacks) == 1 + len(make().stages)


@pytest.mark.parametrize("fault", Fault)
def test_a_changed_request_survives_any_fault_at_any_call(make: Make, fault: Fault) -> None:
    for at in range(calls_of(changed(make), running(make()))):
        for settled in (False, True):
            world = running(make())
            attempt(changed(make), world, {at: fault})
            if settled:
                world.settle()
            until_done(changed(make), world)
            assert world.picture() == running_after(make(), changed(make)), (at, settled)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), list(itertools.product(Fault, Fault)))
def test_a_changed_request_survives_any_pair_of_faults(make: Make, first: Fault, second: Fault) -> None:
    calls = calls_of(changed(make), running(make()))
    for one, other in itertools.product(range(calls), range(calls)):
        world = running(make())
        attempt(changed(make), world, {one: first})
        attempt(changed(make), world, {other: second})
        until_done(changed(make), world)
        assert world.picture() == running_after(make(), changed(make))


def test_of_two_requests_for_one_name_one_wins_and_the_other_is_told(make: Make) -> None:
    """One request stops after any of its calls, the other overtakes it for any number of calls."""
    for ahead, overtaking in itertools.product(range(5), range(10)):
        world = World()
        won, lost = race(world, [make(), changed(make)], [0] * ahead + [1] * overtaking)
        assert (len(won), len(lost)) == (1, 1), (ahead, overtaking)
        world.settle()
        _, bundles, _, ran = world.picture()
        winner = [make(), changed(make)][won[0]]
        assert set(bundles.values()) == set(ran.values()) == {winner.digest}, (ahead, overtaking)


def test_of_two_changes_of_one_pipeline_one_wins_and_the_other_is_told(make: Make) -> None:
    one, other = changed(make), make.changed(1)
    for ahead, overtaking in itertools.product(range(8), range(10)):
        world = running(make())
        won, lost = race(world, [one, other], [0] * ahead + [1] * overtaking)
        assert (len(won), len(lost)) == (1, 1), (ahead, overtaking)
        world.settle()
        _, bundles, _, ran = world.picture()
        assert set(bundles.values()) == set(ran.values()) == {[one, other][won[0]].digest}, (ahead, overtaking)


def test_a_changed_request_while_the_first_is_on_its_way_is_told_to_wait(make: Make) -> None:
    world = World()
    provision(make(), MemoryCloud(world))
    with pytest.raises(Conflict) as busy:
        provision(changed(make), MemoryCloud(world))
    assert busy.value.retry_after
    assert world.writes == ["put_bundle", "create_delivery"]


def test_an_upload_whose_create_was_lost_is_taken_up_at_once(make: Make) -> None:
    world = World()
    attempt(make(), world, {2: Fault.KILLED_BEFORE})
    assert provision(make(), MemoryCloud(world)).changed
    assert world.writes == ["put_bundle", "create_delivery"]


def race(world: World, plans: list[Plan], turns: list[int]) -> tuple[list[int], list[int]]:
    """Run requests in steps of one AWS call each; the indices of those that were accepted, and of those refused."""
    requests = [functools.partial(provision, plan) for plan in plans]
    results = together(world, requests, turns)
    lost = [index for index, result in enumerate(results) if isinstance(result, Conflict)]
    won = [index for index, result in enumerate(results) if isinstance(result, Provisioned)]
    assert len(won) + len(lost) == len(plans), results
    return won, lost


FIFTY = range(50)
TURNS = {
    "in step": [*FIFTY] * 10,
    "one after the other": [],
    "the first stops after its upload": [*FIFTY, FIFTY[0], *[*FIFTY[1:]] * 10],
    "anyhow": random.Random(7).choices(FIFTY, k=400),
}


@pytest.mark.parametrize("turns", TURNS)
def test_fifty_identical_requests_make_one_pipeline(make: Make, turns: str) -> None:
    world = World()
    won, _ = race(world, [make()] * len(FIFTY), TURNS[turns])
    assert won
    assert world.writes.count("create_delivery") == 1
    assert len(world.stacks) == len(world.bundles) == 1
    world.settle()
    assert world.picture() == running_after(make())
    assert [len(runs) for runs in world.executions.values()] == [1]


def test_what_was_deleted_by_hand_comes_back_with_the_same_request(make: Make) -> None:
    def deployed(world: World) -> None:
        del world.stacks[make().name]

    def delivery(world: World) -> None:
        stack = world.stacks.pop(make().delivery_stack)
        del world.executions[stack.outputs["PipelineName"]]

    def bundle(world: World) -> None:
        world.bundles.clear()

    hands = (*[deployed for _ in make().stages], delivery, bundle)
    for deletions in [some for count in (1, 2, 3) for some in itertools.combinations(hands, count)]:
        world = running(make())
        for delete in deletions:
            delete(world)
        until_done(make(), world)
        assert world.picture() == running_after(make()), deletions


def test_a_pipeline_deleted_behind_its_stack_is_made_anew(make: Make) -> None:
    world = running(make())
    world.executions.clear()
    until_done(make(), world)
    assert world.picture() == running_after(make())


NEVER = ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"]


@pytest.mark.parametrize("status", NEVER)
@pytest.mark.parametrize("which", ["delivery", "deployed"])
def test_a_stack_that_never_completed_is_deleted_and_made_anew(make: Make, status: str, which: str) -> None:
    world = running(make())
    name = make().name if which == "deployed" else make().delivery_stack
    world.stacks[name] = replace(world.stacks[name], status=status)
    if which == "deployed":
        (executions,) = world.executions.values()
        executions[-1] = replace(executions[-1], status="Failed")
    with pytest.raises(Conflict) as busy:
        provision(make(), MemoryCloud(world))
    assert busy.value.retry_after
    assert world.stacks[name].status == "DELETE_IN_PROGRESS"
    with pytest.raises(Conflict) as busy:
        provision(make(), MemoryCloud(world))
    assert busy.value.retry_after
    world.settle()
    assert until_done(make(), world).changed
    assert world.stacks[name].status == "CREATE_COMPLETE"


def test_a_stack_whose_rollback_failed_is_continued_and_never_deleted(make: Make) -> None:
    world = running(make())
    world.stacks[make().name] = replace(world.stacks[make().name], status="UPDATE_ROLLBACK_FAILED")
    with pytest.raises(Conflict) as busy:
        provision(changed(make), MemoryCloud(world))
    assert busy.value.retry_after
    assert world.writes == ["continue_rollback"]
    world.settle()
    until_done(changed(make), world)
    assert world.stacks[make().name].status == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "DELETE_IN_PROGRESS"]
)
def test_somebody_elses_stack_is_left_alone(make: Make, status: str) -> None:
    foreign = {
        name: Stack("id", name, status, tags={"stack_name": name}) for name in (make().name, make().delivery_stack)
    }
    for name, stack in foreign.items():
        for world in (World(), running(make())):
            world.stacks[name] = stack
            before = dict(world.stacks)
            with pytest.raises(Conflict) as refused:
                provision(changed(make), MemoryCloud(world))
            assert refused.value.retry_after is None
            assert "not created by this orchestrator" in refused.value.message
            assert world.stacks == before


def test_a_pipeline_of_another_type_is_left_alone(make: Make) -> None:
    world = running(make())
    with pytest.raises(Conflict, match="not to a other_type pipeline"):
        provision(replace(changed(make), pipeline_type="other_type"), MemoryCloud(world))
    assert world.writes == []


def test_a_refused_request_leaves_no_bundle(make: Make) -> None:
    name = make().delivery_stack
    world = World(stacks={name: Stack("id", name, "CREATE_COMPLETE", tags={"stack_name": name})})
    with pytest.raises(Conflict):
        provision(make(), MemoryCloud(world))
    assert world.bundles == {}


def test_a_change_of_what_may_not_change_is_refused(make: Make) -> None:
    for parameter, one, other in make.immutables():
        world = running(one)
        with pytest.raises(Conflict) as refused:
            provision(other, MemoryCloud(world))
        assert parameter in refused.value.message
        assert world.writes == []


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_IN_PROGRESS"]
)
def test_a_name_that_belongs_to_another_request_is_refused_and_says_whose_it_is(make: Make, status: str) -> None:
    for field, one, other in make.belonging():
        world = running(one)
        world.stacks[one.delivery_stack] = replace(world.stacks[one.delivery_stack], status=status)
        with pytest.raises(Conflict, match=f"belongs to .*{field} '{make.body[field]}'") as refused:
            provision(other, MemoryCloud(world))
        assert refused.value.retry_after is None
        assert world.writes == []


def test_a_name_whose_pipeline_is_being_deleted_is_free_when_that_has_ended(make: Make) -> None:
    for _, one, other in make.belonging():
        world = running(one)
        world.stacks[one.delivery_stack] = replace(world.stacks[one.delivery_stack], status="DELETE_IN_PROGRESS")
        until_done(other, world)
        assert world.picture() == running_after(other)


def test_a_stack_of_its_own_that_was_not_updated_is_updated_by_the_same_request(make: Make) -> None:
    """Its update failed and was rolled back: CodePipeline has run what was there before, on the new bundle."""
    if make().stages:
        pytest.skip("its stack has the delivery template, which requests do not change")
    world = running(make())
    provision(changed(make), MemoryCloud(world))
    name = make().name
    world.settle()
    world.stacks[name] = replace(
        world.stacks[name], status="UPDATE_ROLLBACK_COMPLETE", parameters=dict(make().delivery_parameters)
    )
    done = until_done(changed(make), world)
    assert "was not updated" in done.message
    assert world.stacks[name].parameters == changed(make).delivery_parameters


def test_a_delivery_template_that_changed_is_updated_and_runs_by_itself(make: Make) -> None:
    world = running(make())
    with_stages(make)
    newer = replace(changed(make), delivery_parameters={**make().delivery_parameters, "DeliveryDigest": "newer"})
    assert provision(newer, MemoryCloud(world)).changed
    assert world.writes == ["put_bundle", "update_delivery"]
    world.settle()
    (executions,) = world.executions.values()
    assert executions[-1].status == "Succeeded"


def test_a_newer_delivery_template_alone_changes_nothing(make: Make) -> None:
    with_stages(make)
    world = running(make())
    newer = replace(make(), delivery_parameters={**make().delivery_parameters, "DeliveryDigest": "newer"})
    assert not provision(newer, MemoryCloud(world)).changed
