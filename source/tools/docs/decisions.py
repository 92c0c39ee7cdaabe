# SPDX-License-Identifier: Apache-2.0
"""The table of `decide`'s decisions in docs/architecture.md: the first matching row describes the step.

Each row shows the step that `decide` returns for the first situation that matches. A test checks with every combination
of observed states that all situations of a row lead to the same step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

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
from chalicelib.planning.plan import OWNER_TAG, TYPE_TAG, Plan
from chalicelib.provisioning.decide import decide
from chalicelib.provisioning.steps import (
    Continue,
    Create,
    Nothing,
    Recreate,
    Refuse,
    Rerun,
    Step,
    Upload,
    Wait,
)

from tools.docs.pages import table

PLAN = Plan(
    name="mlops-pipeline-m-type",
    pipeline_type="type",
    digest="asked",
    bundle_key="mlops_provisioned_pipelines/mlops-pipeline-m-type/template.zip",
    bundle=b"",
    stages=(Stage("mlops-pipeline-m-type", {"EndpointName": "live"}, "template_params.json"),),
    immutable=("EndpointName",),
    belongs_to={},
    identity="model_name",
    delivery_template="",
    delivery_parameters={"DeliveryDigest": "new"},
    tags={OWNER_TAG: "mlops-orchestrator", TYPE_TAG: "type"},
    role="arn:aws:iam::111122223333:role/mlops-orchestrator-CloudFormationRole-1ABC",
    rerun=False,
    warnings=(),
)


@dataclass(frozen=True)
class Situation:
    """A plan and what is found under its names, as the rows speak of it."""

    plan: Plan
    observed: Observed

    @property
    def delivery(self) -> Phase | None:
        return self._phase(self.observed.delivery)

    @property
    def deployed(self) -> Phase | None:
        return self._phase(self.stack)

    @property
    def stack(self) -> Stack | None:
        """The deployed stack: the table is of a pipeline with one stage."""
        (stack,) = self.observed.deployed
        return stack

    @staticmethod
    def _phase(stack: Stack | None) -> Phase | None:
        return stack.phase if stack and stack.phase is not Phase.GONE else None

    @property
    def foreign(self) -> bool:
        """Whether a stack is another's: by its tag, or by the role that CloudFormation works as."""
        delivery, deployed = self.observed.delivery, self.stack
        return bool(
            (delivery and self.delivery and delivery.tags != self.plan.tags)
            or (deployed and self.deployed and deployed.role != self.plan.role)
        )

    @property
    def replaces(self) -> bool:
        deployed = self.stack
        return bool(deployed and self.deployed and deployed.parameters != self.plan.stages[0].parameters)

    @property
    def same(self) -> bool:
        return self.observed.bundle is not None and self.observed.bundle.digest == self.plan.digest

    @property
    def running(self) -> bool:
        return self.observed.execution is not None and self.observed.execution.status in RUNNING

    @property
    def succeeded(self) -> bool:
        return self.observed.execution is not None and self.observed.execution.status == SUCCEEDED

    @property
    def ran(self) -> bool:
        """Whether the last run is of the bundle that is there: one that hasn't fetched yet will fetch it."""
        execution, bundle = self.observed.execution, self.observed.bundle
        if execution is None or bundle is None:
            return False
        return execution.revision == bundle.version if execution.revision else self.running

    @property
    def young(self) -> bool:
        """Whether the bundle's request can still be on its way."""
        return self.observed.bundle is not None and not self.observed.bundle.settled


@dataclass(frozen=True)
class Row:
    """One line of the table: what is found, in words and as a test of it."""

    words: str
    fits: Callable[[Situation], bool]


ROWS = (
    Row(
        "a stack with one of the names was not created by this orchestrator, or for another type, or belongs to other "
        "values",
        lambda at: at.foreign,
    ),
    Row("the delivery stack is being deleted", lambda at: at.delivery is Phase.DELETING),
    Row(
        "the delivery stack never completed or lost its pipeline, and has termination protection",
        lambda at: (
            bool(at.observed.delivery and at.observed.delivery.protected)
            and (at.delivery is Phase.NEVER_COMPLETED or (at.delivery is Phase.READY and at.observed.pipeline_gone))
        ),
    ),
    Row("the delivery stack never completed", lambda at: at.delivery is Phase.NEVER_COMPLETED),
    Row("the delivery stack is stuck", lambda at: at.delivery is Phase.STUCK),
    Row("the delivery stack is blocked", lambda at: at.delivery is Phase.BLOCKED),
    Row(
        "the delivery stack lost its pipeline",
        lambda at: at.delivery is Phase.READY and at.observed.pipeline_gone,
    ),
    Row("the deployed stack is being deleted", lambda at: at.deployed is Phase.DELETING),
    Row(
        "the deployed stack never completed, and has termination protection",
        lambda at: at.deployed is Phase.NEVER_COMPLETED and bool(at.stack and at.stack.protected),
    ),
    Row("the deployed stack never completed", lambda at: at.deployed is Phase.NEVER_COMPLETED),
    Row("the deployed stack is stuck", lambda at: at.deployed is Phase.STUCK),
    Row("the deployed stack is blocked", lambda at: at.deployed is Phase.BLOCKED),
    Row("live resources would be replaced (`endpoint_name` changed)", lambda at: at.replaces),
    Row("no delivery stack, no bundle", lambda at: at.delivery is None and at.observed.bundle is None),
    Row("no delivery stack, this request's bundle", lambda at: at.delivery is None and at.same),
    Row(
        "no delivery stack, another request's bundle, less than a minute old",
        lambda at: at.delivery is None and at.young,
    ),
    Row("no delivery stack, another request's bundle, older", lambda at: at.delivery is None),
    Row(
        "the delivery stack is changing, for the same request",
        lambda at: at.delivery is not Phase.READY and at.same and not at.plan.rerun,
    ),
    Row(
        "the delivery stack is changing, for another request or with `rerun`", lambda at: at.delivery is not Phase.READY
    ),
    Row("the same request, running", lambda at: at.same and at.ran and at.running and not at.plan.rerun),
    Row("any request running", lambda at: at.running),
    Row("the deployed stack is changing", lambda at: at.deployed in (Phase.CREATING, Phase.CHANGING)),
    Row(
        "another request's bundle, less than a minute old, not run yet",
        lambda at: not at.same and at.young and not at.ran,
    ),
    Row(
        "a resource of the deployed stack was deleted without CloudFormation",
        lambda at: bool(at.stack and at.stack.lost and at.deployed),
    ),
    Row("a changed request", lambda at: not at.same),
    Row("the same request, with `rerun`", lambda at: at.plan.rerun),
    Row("the same request, never run", lambda at: not at.ran),
    Row(
        "the same request, succeeded, but its deployed stack was deleted",
        lambda at: at.succeeded and at.deployed is None,
    ),
    Row("the same request, succeeded", lambda at: at.succeeded),
    Row("the same request, its last run failed, was stopped or superseded", lambda at: True),
)


def row_of(at: Situation) -> Row:
    """The first row that fits."""
    return next(row for row in ROWS if row.fits(at))


def situations(statuses: Iterable[str]) -> Iterator[Situation]:
    """Every combination of what can be found, with stacks in each of the statuses."""
    statuses = list(statuses)
    delivery = Stack("id", PLAN.delivery_stack, "", PLAN.delivery_parameters, {"PipelineName": "p"}, PLAN.tags)
    deployed = Stack("id", PLAN.stages[0].stack, "", PLAN.stages[0].parameters, role=PLAN.role)
    executions = [None] + [
        Execution("run", status, revision)
        for status in sorted(RUNNING | ENDED_BADLY | {SUCCEEDED})
        for revision in ("", "before", "there")
    ]
    bundles = [None] + [
        Bundle(digest, "etag", "there", settled) for digest in ("asked", "other") for settled in (True, False)
    ]
    stacks = [
        *itertools.product(_each(delivery, statuses), _each(deployed, statuses)),
        *((other, None) for other in _each(replace(delivery, tags={}), statuses)),
        *((None, other) for other in _each(replace(deployed, role="another's"), statuses)),
        *itertools.product(_each(replace(delivery, protected=True), statuses), _each(replace(deployed, protected=True),
          statuses)),
        *((delivery_one, other) for delivery_one in _each(delivery, statuses)
          for other in _each(replace(deployed, parameters={"EndpointName": "other"}), statuses)),
    ]  # fmt: skip
    for (one, other), bundle, execution in itertools.product(stacks, bundles, executions):
        for gone, rerun in itertools.product((False, True), repeat=2):
            yield Situation(replace(PLAN, rerun=rerun), Observed(one, (other,), bundle, execution, gone))
            if other and other.phase is Phase.READY:
                damaged = replace(other, lost=("AWS::SageMaker::Endpoint live",))
                yield Situation(replace(PLAN, rerun=rerun), Observed(one, (damaged,), bundle, execution, gone))


def _each(stack: Stack, statuses: Iterable[str]) -> list[Stack | None]:
    return [None, *(replace(stack, status=status) for status in statuses)]


def one_status_a_phase() -> list[str]:
    return [next(status for status, meant in STACK_PHASES.items() if meant is phase) for phase in Phase]


def examples() -> dict[str, Situation]:
    """For each row the first situation that it fits."""
    found: dict[str, Situation] = {}
    for at in situations(one_status_a_phase()):
        if len(found) == len(ROWS):
            break
        found.setdefault(row_of(at).words, at)
    return found


def decisions_table() -> str:
    """The rows, with the step that `decide` returns and the response to the caller."""
    steps = {words: decide(at.plan, at.observed) for words, at in examples().items()}
    return table(
        ["observed state", "step", "action", "response"],
        (
            [row.words, f"`{type(steps[row.words]).__name__}`", done(steps[row.words]), answer(steps[row.words])]
            for row in ROWS
        ),
    )


def done(step: Step) -> str:
    match step:
        case Create(uploaded=True):
            return "creates the delivery stack"
        case Create(replaces=None):
            return "writes the bundle, creates the delivery stack"
        case Create():
            return "overwrites the bundle, creates the delivery stack"
        case Upload():
            return "writes the bundle, starts the pipeline"
        case Rerun():
            return "starts the pipeline"
        case Recreate():
            return "deletes the stack"
        case Continue():
            return "continues its rollback"
        case Nothing() | Wait() | Refuse():
            return "nothing"


def answer(step: Step) -> str:
    match step:
        case Wait(retry_after=seconds) | Recreate(retry_after=seconds) | Continue(retry_after=seconds):
            return f"409, Retry-After: {seconds}"
        case Refuse():
            return "409"
        case _:
            return "200"
