# SPDX-License-Identifier: Apache-2.0
"""GET /pipelines: pages that cost the same however many pipelines there are, each row with its one word."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from chalicelib.aws.observed import Stack
from chalicelib.catalog import Catalog
from chalicelib.errors import Unavailable
from chalicelib.intake.check import check_request
from chalicelib.intake.query import Query
from chalicelib.managing import listing
from chalicelib.managing.listing import PageRequest
from chalicelib.planning import plan
from chalicelib.planning.plan import Plan
from chalicelib.provisioning.provision import provision
from chalicelib.settings import Settings

from tests.support.memory import Fault, MemoryCloud, World

MANY = 230


@pytest.fixture(scope="module")
def plans(catalog: Catalog, settings: Settings) -> list[Plan]:
    def of(name: str) -> Plan:
        body = {**EXAMPLE, "model_name": name}
        return plan.make(check_request(json.dumps(body).encode(), catalog, settings), settings, catalog)

    return [of(f"model-{number}") for number in range(MANY)]


EXAMPLE: dict[str, Any] = {
    "pipeline_type": "model_training_builtin",
    "training_data": "train.csv",
    "job_output_location": "models",
    "model_framework": "xgboost",
    "model_framework_version": "1.7-1",
    "algo_hyperparamaters": {"objective": "reg:squarederror", "num_round": 10},
}


@pytest.fixture(scope="module")
def many(plans: list[Plan]) -> World:
    """A world of many pipelines that have succeeded."""
    world = World()
    for one in plans:
        provision(one, MemoryCloud(world))
    world.settle()
    return world


def walk(world: World, settings: Settings, **asked: Any) -> list[list[Any]]:
    """Every page, until there is no next."""
    pages, after = [], ""
    while True:
        answer = listing.page(PageRequest(after=after, **asked), settings, MemoryCloud(world))
        pages.append(answer["pipelines"])
        if "next" not in answer:
            return pages
        after = answer["next"]


def test_the_pages_hold_every_pipeline_once_and_sorted(many: World, plans: list[Plan], settings: Settings) -> None:
    pages = walk(many, settings)
    assert [len(page) for page in pages] == [25] * 9 + [5]
    names = [row["name"] for page in pages for row in page]
    assert names == sorted((one.name for one in plans), key=lambda name: f"{name}/")
    assert {row["status"] for page in pages for row in page} == {"Succeeded"}


def test_a_page_that_ends_with_the_last_pipeline_has_no_next(many: World, settings: Settings) -> None:
    assert [len(page) for page in walk(many, settings, limit=23)] == [23] * 10


def test_a_page_costs_the_same_however_many_there_are(many: World, settings: Settings) -> None:
    few = World(bundles=dict(sorted(many.bundles.items())[:12]), stacks=many.stacks, executions=many.executions)
    calls = []
    for world in (few, many):
        cloud = MemoryCloud(world)
        listing.page(PageRequest(limit=10), settings, cloud)
        calls.append(sorted(cloud.calls))
    assert calls[0] == calls[1]
    assert len(calls[0]) == 1 + 10 * 3


def test_names_alone_take_one_call(many: World, settings: Settings) -> None:
    cloud = MemoryCloud(many)
    answer = listing.page(PageRequest(names_only=True, limit=100), settings, cloud)
    assert cloud.calls == ["list_bundled_pipelines"]
    assert set(answer["pipelines"][0]) == {"name"}
    assert len(answer["pipelines"]) == 100


@pytest.mark.parametrize("prefix", ["model-22", "mlops-pipeline-model-22", "Model-22"])
def test_a_prefix_may_leave_out_what_all_names_begin_with(many: World, settings: Settings, prefix: str) -> None:
    asked = PageRequest.of(Query({"prefix": prefix, "names_only": "true"}), settings)
    found = [row["name"] for row in listing.page(asked, settings, MemoryCloud(many))["pipelines"]]
    assert found == sorted(f"mlops-pipeline-model-22{end}-modeltraining" for end in ("", *range(10)))


@pytest.mark.parametrize("prefix", ["", "m", "mlops-pipe", "mlops-pipeline-"])
def test_what_all_names_begin_with_is_the_prefix_of_all(many: World, settings: Settings, prefix: str) -> None:
    asked = PageRequest.of(Query({"prefix": prefix, "limit": "100", "names_only": "true"}), settings)
    assert len(listing.page(asked, settings, MemoryCloud(many))["pipelines"]) == 100


def test_the_next_page_follows_a_pipeline_that_was_deleted_meanwhile(many: World, settings: Settings) -> None:
    first = listing.page(PageRequest(limit=2), settings, MemoryCloud(many))
    world = World(bundles={key: bundle for key, bundle in many.bundles.items() if first["next"] not in key})
    second = listing.page(PageRequest(limit=2, after=first["next"], names_only=True), settings, MemoryCloud(world))
    every = sorted((key.split("/")[1] for key in many.bundles), key=lambda name: f"{name}/")
    assert [row["name"] for row in second["pipelines"]] == every[2:4]


def one_row(world: World, settings: Settings) -> Any:
    (row,) = listing.page(PageRequest(), settings, MemoryCloud(world))["pipelines"]
    return row


@pytest.fixture
def world(plans: list[Plan]) -> World:
    world = World()
    provision(plans[0], MemoryCloud(world))
    return world


def test_a_row_tells_type_status_age_and_last_run(world: World, settings: Settings, plans: list[Plan]) -> None:
    assert (one_row(world, settings)["status"], one_row(world, settings)["last_run"]) == ("Creating", None)
    world.settle()
    row = one_row(world, settings)
    assert row == {
        "name": plans[0].name,
        "pipeline_id": world.stacks[plans[0].delivery_stack].id,
        "pipeline_type": "model_training_builtin",
        "status": "Succeeded",
        "created": row["created"],
        "last_run": {"id": row["last_run"]["id"], "status": "Succeeded", "started": None},
    }
    assert row["created"].startswith("1970-01-01T00:00:")


def test_a_run_that_waits_for_a_person_says_so(world: World, settings: Settings, plans: list[Plan]) -> None:
    world.settle(ends="InProgress")
    assert one_row(world, settings)["status"] == "Running"
    ((pipeline, (execution,)),) = world.executions.items()
    action = {"actionName": "approve", "latestExecution": {"status": "InProgress", "token": "t"}}
    latest = {"pipelineExecutionId": execution.id, "status": "InProgress"}
    world.stages[pipeline] = [{"stageName": "Approve", "latestExecution": latest, "actionStates": [action]}]
    assert one_row(world, settings)["status"] == "WaitingForApproval"


@pytest.mark.parametrize("gone", ["delivery", "pipeline", "deployed", "foreign"])
def test_what_is_gone_is_told(world: World, settings: Settings, plans: list[Plan], gone: str) -> None:
    world.settle()
    match gone:
        case "delivery":
            del world.stacks[plans[0].delivery_stack]
        case "pipeline":
            world.executions.clear()
        case "deployed":
            del world.stacks[plans[0].name]
        case "foreign":
            world.stacks[plans[0].delivery_stack] = Stack("id", plans[0].delivery_stack, "CREATE_COMPLETE")
    row = one_row(world, settings)
    assert row["status"] == ("Absent" if gone in ("delivery", "foreign") else "Failed")
    assert row["name"] == plans[0].name


def test_a_throttled_page_is_told_to_come_again(many: World, settings: Settings) -> None:
    with pytest.raises(Unavailable) as late:
        listing.page(PageRequest(), settings, MemoryCloud(many, {7: Fault.THROTTLED}))
    assert late.value.retry_after


class Slow(MemoryCloud):
    """A cloud that takes its time, and remembers how many were asking at once."""

    def __init__(self, world: World, seconds: float) -> None:
        super().__init__(world)
        self.seconds, self.now, self.most, self.lock = seconds, 0, 0, threading.Lock()

    def stack(self, name: str) -> Stack | None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        found: Stack | None = super().stack(name)
        return found


def test_rows_are_looked_up_at_once_but_not_all_of_them(many: World, settings: Settings) -> None:
    cloud = Slow(many, 0.01)
    listing.page(PageRequest(), settings, cloud)
    assert 1 < cloud.most <= listing.AT_ONCE


def test_a_page_that_takes_too_long_is_given_up_in_time(
    many: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "TIMEOUT", 0.2)
    before = time.monotonic()
    with pytest.raises(Unavailable) as late:
        listing.page(PageRequest(limit=100), settings, Slow(many, 0.1))
    assert late.value.retry_after
    assert time.monotonic() - before < 5


def test_a_larger_page_than_the_largest_is_refused(settings: Settings) -> None:
    query = Query({"limit": "101", "sort": "age"})
    with pytest.raises(Exception, match="2 problems"):
        PageRequest.of(query, settings)
