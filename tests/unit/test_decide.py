# SPDX-License-Identifier: Apache-2.0
"""`decide` is total, it follows the rows of docs/architecture.md, and it decides for several stages as for one."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

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
from chalicelib.delivery import Stage
from chalicelib.planning.plan import Plan
from chalicelib.provisioning import steps
from chalicelib.provisioning.decide import decide
from chalicelib.provisioning.steps import Continue, Nothing, Recreate, Refuse, Rerun, Step, Upload, Wait
from tools.docs import decisions
from tools.docs.decisions import PLAN, ROWS, Situation

PHASES = decisions.one_status_a_phase()
KINDS = set(Step.__args__)  # type: ignore[attr-defined]


def enum(service: str, shape: str) -> set[str]:
    return set(botocore.session.get_session().get_service_model(service).shape_for(shape).enum)


def test_every_stack_status_of_aws_has_a_meaning() -> None:
    assert set(STACK_PHASES) == enum("cloudformation", "StackStatus")


def test_every_execution_status_of_aws_has_a_meaning() -> None:
    assert RUNNING | ENDED_BADLY | {SUCCEEDED} == enum("codepipeline", "PipelineExecutionStatus")


@pytest.fixture(scope="module")
def examples() -> dict[str, Situation]:
    """A situation for each row."""
    return decisions.examples()


def told(step: Step) -> tuple[str, str, str]:
    """What a caller notices of a step, but for the words: which it is, what is done, and what is answered."""
    return type(step).__name__, decisions.done(step), decisions.answer(step)


# --- the table, which is of one stage ------------------------------------------------------------------------


@pytest.mark.parametrize("words", [row.words for row in ROWS])
def test_a_status_is_decided_on_by_its_phase_alone(words: str, examples: dict[str, Situation]) -> None:
    """So the rows, which speak of phases, leave no status out."""
    at = examples[words]
    for delivery, stack in itertools.product(alike(at.observed.delivery), alike(at.stack)):
        found = replace(at.observed, delivery=delivery, deployed=(stack,))
        assert told(decide(at.plan, found)) == told(decide(at.plan, at.observed)), found


def alike(stack: Stack | None) -> list[Stack | None]:
    """A stack in every status of its phase."""
    if stack is None:
        return [None]
    return [replace(stack, status=status) for status, phase in STACK_PHASES.items() if phase is stack.phase]


def test_all_that_fits_a_row_is_decided_alike_and_every_step_is_taken() -> None:
    decided: dict[str, set[tuple[type, str]]] = defaultdict(set)
    for at in decisions.situations(PHASES):
        step = decide(at.plan, at.observed)
        decided[decisions.row_of(at).words].add((type(step), decisions.answer(step)))
    assert {words: taken for words, taken in decided.items() if len(taken) > 1} == {}
    assert set(decided) == {row.words for row in ROWS}
    assert {kind for taken in decided.values() for kind, _ in taken} == KINDS


def test_each_row_decides_what_no_later_row_would(examples: dict[str, Situation]) -> None:
    """The first row that fits decides, so the rows exclude each other, and none of them is there for nothing."""
    needed = set()
    says = {words: told(decide(at.plan, at.observed)) for words, at in examples.items()}
    for at in decisions.situations(PHASES):
        fitting = [row.words for row in ROWS if row.fits(at)]
        if len(fitting) == 1 or says[fitting[0]] != says[fitting[1]]:
            needed.add(fitting[0])
    assert needed == {row.words for row in ROWS}


def test_of_stacks_that_completed_only_a_delivery_stack_without_its_pipeline_is_deleted() -> None:
    for at in decisions.situations(PHASES):
        step = decide(at.plan, at.observed)
        if isinstance(step, Recreate) and step.stack.phase is not Phase.NEVER_COMPLETED:
            assert step.stack.name == at.plan.delivery_stack
            assert at.observed.pipeline_gone


def test_nothing_is_answered_only_for_the_same_request() -> None:
    for at in decisions.situations(PHASES):
        if isinstance(decide(at.plan, at.observed), Nothing):
            assert at.same


def test_a_deployed_stack_is_waited_for_longer_than_a_delivery_stack() -> None:
    assert steps.RETRY_SOON < steps.RETRY_LATER


# --- several stages ------------------------------------------------------------------------------------------

READY = "UPDATE_COMPLETE"


def plan_of(stages: int, rerun: bool = False) -> Plan:
    """A plan with some stages, each with an endpoint of its own."""
    made = [Stage(f"{PLAN.name}-{number}", {"EndpointName": f"live-{number}"}, "") for number in range(stages)]
    return replace(PLAN, stages=tuple(made), rerun=rerun)


def kinds_of_stack() -> list[Stack | None]:
    """Everything that a deployed stack can be like; its name and parameters come with its stage."""
    stack = Stack("id", "", READY, role=PLAN.role)
    return [
        None,
        *(replace(stack, status=status) for status in PHASES),
        replace(stack, status="ROLLBACK_COMPLETE", protected=True),
        replace(stack, role="another's"),
        replace(stack, parameters={"EndpointName": "another"}),
        replace(stack, lost=("AWS::SageMaker::Endpoint live",)),
    ]


def deployed(plan: Plan, kinds: Sequence[Stack | None]) -> tuple[Stack | None, ...]:
    return tuple(
        kind and replace(kind, name=stage.stack, parameters=kind.parameters or stage.parameters)
        for stage, kind in zip(plan.stages, kinds, strict=True)
    )


def around(plan: Plan) -> Iterator[Observed]:
    """What can be found beside the deployed stacks."""
    delivery = Stack("id", plan.delivery_stack, "", plan.delivery_parameters, {"PipelineName": "p"}, plan.tags)
    bundles = [None, *(Bundle(digest, "etag", "there", False) for digest in (plan.digest, "other"))]
    executions = [None, *(Execution("run", status, "there") for status in ("InProgress", SUCCEEDED, "Failed"))]
    found = [None, *(replace(delivery, status=status) for status in PHASES)]
    for stack, bundle, execution in itertools.product(found, bundles, executions):
        yield Observed(stack, (), bundle, execution)


Kinds = tuple[Stack | None, ...]


def with_stages(stages: int) -> Iterator[tuple[Situation, Kinds]]:
    for rerun in (False, True):
        plan = plan_of(stages, rerun)
        combinations = list(itertools.product(kinds_of_stack(), repeat=stages))
        for observed in around(plan):
            if stages == 3 and (rerun or not observed.delivery or observed.delivery.status not in PHASES[:2]):
                continue  # all that is around them is tried with two
            for kinds in combinations:
                yield Situation(plan, replace(observed, deployed=deployed(plan, kinds))), kinds


BROKEN = {Phase.NEVER_COMPLETED, Phase.STUCK, Phase.DELETING, Phase.BLOCKED}


@pytest.mark.parametrize("stages", [0, 1, 2, 3])
def test_whatever_the_stages_are_like_no_broken_or_busy_one_is_overrun(stages: int) -> None:
    for at, _ in with_stages(stages):
        step = decide(at.plan, at.observed)
        assert type(step) in KINDS
        stacks = [stack for stack in at.observed.deployed if stack]
        if any(stack.phase in BROKEN for stack in stacks):
            assert isinstance(step, Refuse | Wait | Recreate | Continue), at
        if any(stack.busy for stack in stacks):
            assert not isinstance(step, Upload | Rerun), at
        if isinstance(step, Recreate | Continue) and step.stack in stacks:
            others = [stack for stack in stacks if stack is not step.stack]
            assert not any(stack.busy or stack.phase in (Phase.DELETING, Phase.BLOCKED) for stack in others), at


@pytest.mark.parametrize("stages", [2, 3])
def test_the_order_of_the_stages_says_only_which_stack_is_named(stages: int) -> None:
    for at, kinds in with_stages(stages):
        step = told(decide(at.plan, at.observed))
        for other in (kinds[::-1], kinds[1:] + kinds[:1]):  # all orders come of these two
            assert told(decide(at.plan, replace(at.observed, deployed=deployed(at.plan, other)))) == step, at


@pytest.mark.parametrize("where", [0, 1])
def test_beside_a_healthy_stage_a_stage_is_decided_for_as_if_it_were_alone(where: int) -> None:
    healthy = Stack("id", "", READY, role=PLAN.role)
    for rerun, kind in itertools.product((False, True), kinds_of_stack()):
        one, two = plan_of(1, rerun), plan_of(2, rerun)
        pair = [kind, healthy] if where == 0 else [healthy, kind]
        for observed in around(one):
            alone = decide(one, replace(observed, deployed=deployed(one, [kind])))
            beside = decide(two, replace(observed, deployed=deployed(two, pair)))
            assert told(alone) == told(beside), (kind, observed)
            if isinstance(alone, Recreate | Continue) and alone.stack.name != PLAN.delivery_stack:
                assert isinstance(beside, Recreate | Continue)
                assert beside.stack.name == two.stages[where].stack


def test_of_several_broken_stages_one_is_named_by_what_it_needs_and_then_by_its_order() -> None:
    plan = plan_of(3)
    delivery = Stack("id", plan.delivery_stack, READY, plan.delivery_parameters, {"PipelineName": "p"}, plan.tags)

    def step(*statuses: str) -> Step:
        kinds = [Stack("id", "", status, role=PLAN.role) for status in statuses]
        return decide(plan, Observed(delivery, deployed(plan, kinds)))

    stuck, never, blocked, deleting = (
        "UPDATE_ROLLBACK_FAILED",
        "ROLLBACK_COMPLETE",
        "DELETE_FAILED",
        "DELETE_IN_PROGRESS",
    )
    for statuses, kind, named in (
        ((stuck, never, never), Recreate, 1),
        ((stuck, READY, stuck), Continue, 0),
        ((never, deleting, stuck), Wait, 1),
        ((never, READY, "UPDATE_IN_PROGRESS"), Wait, 2),
        ((never, deleting, blocked), Refuse, 2),
    ):
        found = step(*statuses)
        assert isinstance(found, kind)
        words = found.stack.name if isinstance(found, Recreate | Continue) else found.reason
        assert plan.stages[named].stack in words
