# SPDX-License-Identifier: Apache-2.0
"""A pipeline that deploys several stacks is provisioned, healed and deleted as one that deploys a single one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.delivery import Stage
from chalicelib.errors import Conflict
from chalicelib.intake.check import check_request
from chalicelib.managing.decide_deletion import DeletionTarget
from chalicelib.managing.delete import delete
from chalicelib.planning import plan
from chalicelib.planning.plan import OWNER_TAG, Plan
from chalicelib.provisioning.provision import provision
from chalicelib.settings import Settings

from tests.faults.test_faults import attempt, calls_of, running, until_done
from tests.support.memory import Fault, MemoryCloud, World


@pytest.fixture
def planned(catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]) -> Plan:
    body = json.dumps(example("byom_realtime_builtin")).encode()
    one = plan.make(check_request(body, catalog, settings), settings, catalog)
    (stage,) = one.stages
    return replace(one, stages=tuple(Stage(f"{one.name}-{name}", stage.parameters, "") for name in ("dev", "prod")))


def test_every_stage_is_deployed_and_a_repeat_writes_nothing(planned: Plan) -> None:
    cloud = MemoryCloud(World())
    provision(planned, cloud)
    assert cloud.calls == ["stack", "stack", "put_bundle", "create_delivery"]
    cloud.world.settle()
    assert set(cloud.world.stacks) == {*planned.stacks, planned.delivery_stack}
    cloud.world.writes.clear()
    assert not provision(planned, cloud).changed
    assert cloud.world.writes == []


@pytest.mark.parametrize("fault", Fault)
def test_it_survives_any_fault_at_any_call(planned: Plan, fault: Fault) -> None:
    for at in range(calls_of(planned, World())):
        world = World()
        attempt(planned, world, {at: fault})
        until_done(planned, world)
        assert world.picture() == running(planned).picture(), at


@pytest.mark.parametrize("stage", [0, 1])
def test_a_stage_is_healed_wherever_it_stands(planned: Plan, stage: int) -> None:
    name = planned.stacks[stage]
    gone = running(planned)
    del gone.stacks[name]
    assert name in until_done(planned, gone).message
    never = running(planned)
    never.stacks[name] = replace(never.stacks[name], status="ROLLBACK_COMPLETE")
    until_done(planned, never)
    stuck = running(planned)
    stuck.stacks[name] = replace(stuck.stacks[name], status="UPDATE_ROLLBACK_FAILED")
    until_done(planned, stuck)
    assert stuck.writes == ["continue_rollback"]
    assert stuck.stacks[name].status == "UPDATE_ROLLBACK_COMPLETE"
    assert gone.picture() == never.picture() == running(planned).picture()


@pytest.mark.parametrize("stage", [0, 1])
def test_what_only_its_owner_can_mend_is_named_wherever_it_stands(planned: Plan, stage: int) -> None:
    name = planned.stacks[stage]
    lost, blocked, foreign = running(planned), running(planned), running(planned)
    lost.lost[name] = ["AWS::SageMaker::Endpoint churn"]
    blocked.stacks[name] = replace(blocked.stacks[name], status="DELETE_FAILED")
    foreign.stacks[name] = replace(foreign.stacks[name], role="another's")
    for world in (lost, blocked, foreign):
        with pytest.raises(Conflict) as refused:
            provision(replace(planned, rerun=True), MemoryCloud(world))
        assert f"stack {name} " in refused.value.message
        assert refused.value.retry_after is None
        assert world.writes == []


def test_the_last_stage_is_deleted_first_and_the_delivery_stack_at_the_end(planned: Plan) -> None:
    world = running(planned)
    target = DeletionTarget(planned.name, planned.stacks, planned.tags[OWNER_TAG], planned.role)
    left = []
    for _ in range(4):
        left.append(delete(target, MemoryCloud(world)).left)
        world.settle()
    dev, prod = planned.stacks
    assert left == [(prod, dev, planned.delivery_stack), (dev, planned.delivery_stack), (planned.delivery_stack,), ()]
    assert not world.stacks
    assert not world.bundles
