# SPDX-License-Identifier: Apache-2.0
"""`decide_deletion` is total: whatever is found leads to one step, and only to harmless ones where it must."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

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
from chalicelib.managing.decide_deletion import (
    TOMBSTONE,
    AwaitDeletion,
    Delete,
    DeleteBundle,
    DeletionTarget,
    Running,
    Step,
    Unknown,
    decide_deletion,
    to_delete,
)
from chalicelib.planning.plan import OWNER_TAG
from chalicelib.provisioning.steps import Refuse, Wait

ROLE = "arn:aws:iam::111122223333:role/mlops-orchestrator-CloudFormationRole-1ABC"
NAME = "mlops-pipeline-m-type"
TARGET = DeletionTarget(NAME, (NAME,), "mlops-orchestrator", ROLE)
BUNDLES = [
    None,
    Bundle("a", "e", "v1", settled=True),
    Bundle("a", "e", "v1", settled=False),
    Bundle(TOMBSTONE, "e", "v1", settled=True),
    Bundle(TOMBSTONE, "e", "v1", settled=False),
]
EXECUTIONS = [None] + [
    Execution("x", status, revision)
    for status in sorted(RUNNING | ENDED_BADLY | {SUCCEEDED})
    for revision in ("", "v0", "v1")
]
KINDS = [(True, False), (True, True), (False, False)]  # ours, protected


def stacks(name: str) -> list[Stack | None]:
    return [None] + [
        Stack(
            "id",
            name,
            status,
            tags={OWNER_TAG: TARGET.owner if ours else "another"},
            role=ROLE if ours else "arn:aws:iam::111122223333:role/another-CloudFormationRole-1ABC",
            protected=protected,
        )
        for status in STACK_PHASES
        for ours, protected in KINDS
    ]


def everything() -> Iterator[Observed]:
    for delivery, deployed, bundle in itertools.product(stacks(TARGET.delivery_stack), stacks(NAME), BUNDLES):
        for execution in EXECUTIONS if delivery else EXECUTIONS[:1]:
            yield Observed(delivery, (deployed,), bundle, execution)
        if delivery:
            yield Observed(delivery, (deployed,), bundle, pipeline_gone=True)


def with_two_stages() -> Iterator[Observed]:
    few = {next(status for status, meant in STACK_PHASES.items() if meant is phase) for phase in Phase}
    last = [Execution("x", status, "v1") for status in ("InProgress", SUCCEEDED)]
    names = (TARGET.delivery_stack, f"{NAME}-one", f"{NAME}-two")
    choices = [[stack for stack in stacks(name) if stack is None or stack.status in few] for name in names]
    for (delivery, *deployed), bundle in itertools.product(itertools.product(*choices), BUNDLES[1:4]):
        for execution in last if delivery else [None]:
            yield Observed(delivery, tuple(deployed), bundle, execution)


def there(stack: Stack | None) -> Stack | None:
    return stack if stack and stack.phase is not Phase.GONE else None


@pytest.mark.parametrize("situations", [everything, with_two_stages])
def test_every_combination_leads_to_one_step_that_harms_nothing(situations: Callable[[], Iterator[Observed]]) -> None:
    steps = set()
    for found in situations():
        step = decide_deletion(TARGET, found)
        steps.add(type(step))
        if not isinstance(step, Delete | DeleteBundle):
            continue
        delivery = there(found.delivery)
        ours = [stack for stack in map(there, found.deployed) if stack and stack.role == ROLE]
        for stack in filter(None, (delivery, *ours)):
            assert stack.phase not in (Phase.CREATING, Phase.CHANGING, Phase.DELETING), found
            assert not stack.protected, found
        assert found.execution is None or found.execution.status not in RUNNING
        if isinstance(step, Delete):
            assert step.stack == (ours[-1] if ours else delivery), "the last stage first, the delivery stack at the end"
            assert step.stack.role == ROLE, found
            assert step.again == (step.stack.status == "DELETE_FAILED")
        else:
            assert delivery is None, found
            assert not ours, found
            assert found.bundle, found
        assert step.marked == bool(found.bundle and found.bundle.digest == TOMBSTONE)
    assert steps == set(Step.__args__)  # type: ignore[attr-defined]


def test_where_nothing_of_ours_is_there_is_no_such_pipeline() -> None:
    foreign = Stack("id", TARGET.name, "CREATE_COMPLETE", role="arn:aws:iam::111122223333:role/another-1ABC")
    other = Stack("id", TARGET.delivery_stack, "CREATE_COMPLETE", tags={OWNER_TAG: "another"}, role=ROLE)
    for found in (
        Observed(deployed=(None,)),
        Observed(deployed=(foreign,)),
        Observed(other, (None,)),
        Observed(other, (foreign,), BUNDLES[1]),
    ):
        assert decide_deletion(TARGET, found) == Unknown()


def test_a_bundle_beside_somebody_elses_stack_is_removed_alone() -> None:
    foreign = Stack("id", TARGET.name, "CREATE_COMPLETE", role="arn:aws:iam::111122223333:role/another-1ABC")
    found = Observed(deployed=(foreign,), bundle=BUNDLES[1])
    assert decide_deletion(TARGET, found) == DeleteBundle(marked=False)
    assert to_delete(TARGET, found) == ()


def delivery(status: str = "CREATE_COMPLETE", protected: bool = False) -> Stack:
    return Stack("id", TARGET.delivery_stack, status, tags={OWNER_TAG: TARGET.owner}, role=ROLE, protected=protected)


def deployed(status: str = "CREATE_COMPLETE", role: str = ROLE) -> Stack:
    return Stack("id", TARGET.name, status, role=role)


DONE = Execution("x", SUCCEEDED, "v1")


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (Observed(delivery(), (deployed(),), BUNDLES[1], Execution("x", "InProgress", "v1")), Running),
        (Observed(delivery(), (deployed("UPDATE_IN_PROGRESS"),), BUNDLES[1], DONE), Wait),
        (Observed(delivery("UPDATE_IN_PROGRESS"), (deployed(),), BUNDLES[1], DONE), Wait),
        (Observed(delivery(), (None,), BUNDLES[2], None), Wait),  # its first run has not begun
        (Observed(None, (None,), BUNDLES[2]), Wait),  # a request is about to create the delivery stack
        (Observed(delivery(), (deployed(),), BUNDLES[2], Execution("x", SUCCEEDED, "v0")), Wait),  # or to start a run
        (Observed(delivery(), (deployed("DELETE_IN_PROGRESS"),), BUNDLES[3], DONE), AwaitDeletion),
        (Observed(delivery(protected=True), (deployed(),), BUNDLES[1], DONE), Refuse),
        (Observed(delivery(), (deployed(role="arn:aws:iam::111122223333:role/x-1"),), BUNDLES[1], DONE), Refuse),
        (Observed(delivery("ROLLBACK_COMPLETE"), (None,), None), Delete),
        (Observed(delivery(), (None,), None, pipeline_gone=True), Delete),
        (Observed(None, (deployed("UPDATE_ROLLBACK_FAILED"),), BUNDLES[1]), Delete),
        (Observed(None, (None,), BUNDLES[4]), DeleteBundle),
    ],
)
def test_what_is_found_is_decided(found: Observed, step: type[Step]) -> None:
    assert isinstance(decide_deletion(TARGET, found), step)
