# SPDX-License-Identifier: Apache-2.0
"""`decide` is total: every status that AWS knows has a meaning, and every combination exactly one step."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from chalicelib.aws.observed import (
    ENDED_BADLY,
    RUNNING,
    STACK_PHASES,
    SUCCEEDED,
    Bundle,
    Execution,
    Observed,
    Phase,
    Stack,
)
from chalicelib.catalog import Catalog
from chalicelib.intake.check import check_request
from chalicelib.planning import plan
from chalicelib.provisioning import decide as deciding
from chalicelib.provisioning.decide import Nothing, Recreate, Step, decide
from chalicelib.settings import Settings


def enum(service: str, shape: str) -> set[str]:
    return set(botocore.session.get_session().get_service_model(service).shape_for(shape).enum)


@pytest.fixture
def planned(catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]) -> plan.Plan:
    body = json.dumps(example("byom_realtime_builtin")).encode()
    return plan.make(check_request(body, catalog, settings), settings, catalog)


def test_every_stack_status_of_aws_has_a_meaning() -> None:
    assert set(STACK_PHASES) == enum("cloudformation", "StackStatus")


def test_every_execution_status_of_aws_has_a_meaning() -> None:
    assert RUNNING | ENDED_BADLY | {SUCCEEDED} == enum("codepipeline", "PipelineExecutionStatus")


def stacks(name: str, planned: plan.Plan) -> list[Stack | None]:
    delivery = name == planned.delivery_stack
    return [None] + [
        Stack(
            "id",
            name,
            status,
            parameters=planned.delivery_parameters if delivery else planned.stages[0].parameters,
            outputs={"PipelineName": "p"} if delivery else {},
            tags=planned.tags if delivery else {},
            role=planned.role,
        )
        for status in STACK_PHASES
    ]


def everything(planned: plan.Plan) -> list[Observed]:
    bundles = [
        None,
        Bundle(planned.digest, "e", "v1", True),
        Bundle("other", "e", "v1", False),
        Bundle("other", "e", "v1", True),
    ]
    executions = [None] + [
        Execution("x", status, revision)
        for status in sorted(RUNNING | ENDED_BADLY | {SUCCEEDED})
        for revision in ("", "v0", "v1")
    ]
    return [
        Observed(*found)
        for found in itertools.product(
            stacks(planned.delivery_stack, planned), stacks(planned.name, planned), bundles, executions
        )
    ]


def test_every_combination_leads_to_exactly_one_step(planned: plan.Plan) -> None:
    steps = {type(decide(planned, found)) for found in everything(planned)}
    assert steps == set(Step.__args__)  # type: ignore[attr-defined]


def test_no_stack_that_ever_completed_is_deleted(planned: plan.Plan) -> None:
    for found in everything(planned):
        step = decide(planned, found)
        if isinstance(step, Recreate):
            assert step.stack.phase is Phase.NEVER_COMPLETED


def test_of_stacks_that_completed_only_a_hollow_delivery_stack_is_deleted(planned: plan.Plan) -> None:
    for found in everything(planned):
        step = decide(planned, replace(found, pipeline_gone=True))
        if isinstance(step, Recreate) and step.stack.phase is not Phase.NEVER_COMPLETED:
            assert step.stack.name == planned.delivery_stack


def test_nothing_is_answered_only_for_the_same_request(planned: plan.Plan) -> None:
    for found in everything(planned):
        if isinstance(decide(planned, found), Nothing):
            assert found.bundle is not None
            assert found.bundle.digest == planned.digest


def test_a_deployed_stack_is_waited_for_longer_than_a_delivery_stack() -> None:
    assert deciding.RETRY_SOON < deciding.RETRY_LATER
