# SPDX-License-Identifier: Apache-2.0
"""The runs of a pipeline, newest first: each with its job, artifact and failure reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.aws.observed import RUNNING, Execution, Stack
from chalicelib.aws.port import Cloud, InvalidNextToken, PipelineGone
from chalicelib.errors import BadRequest, Code, Problem
from chalicelib.intake.query import Query
from chalicelib.names import PIPELINE_OUTPUT, of_delivery_stack
from chalicelib.status.outcome import Outcome, iso, job_document, of_actions, run_status, visible_reason

LIMIT, MOST = 10, 50  # runs in one response; each takes three calls


@dataclass(frozen=True)
class Page:
    """The requested page: the number of runs, and the token."""

    limit: int = LIMIT
    token: str = ""

    @classmethod
    def of(cls, query: Query) -> Page:
        """The page that the query parameters request; raises BadRequest."""
        page = cls(query.number("limit", LIMIT, MOST), query.text("next"))
        query.done()
        return page


def runs(delivery: Stack, deployed: Sequence[Stack | None], page: Page, detailed: bool, cloud: Cloud) -> dict[str, Any]:
    """A page of a pipeline's runs, for the API's response."""
    document: dict[str, Any] = {"name": of_delivery_stack(delivery.name), "runs": []}
    pipeline = delivery.outputs.get(PIPELINE_OUTPUT)
    if not pipeline:
        return document
    try:
        executions, following = cloud.executions(pipeline, page.limit, page.token)
        for execution in executions:
            actions = cloud.actions(pipeline, execution.id)
            outcome = of_actions(actions, execution, deployed, cloud)
            stage = next((action.stage for action in actions), None)
            document["runs"].append(run_document(execution, outcome, stage, detailed))
    except PipelineGone:
        return document
    except InvalidNextToken as error:
        hint = "omit it to begin at the newest run"
        problem = Problem("/next", Code.UNKNOWN_PAGE, "is not a value of next that the API returned", hint)
        raise BadRequest("1 problem in the query parameters", [problem]) from error
    return {**document, "next": following} if following else document


def run_document(execution: Execution, outcome: Outcome, stage: str | None, detailed: bool) -> dict[str, Any]:
    """One run, for the API's response; `stage` is the last stage it entered."""
    return {
        "id": execution.id,
        "status": run_status(execution.status),
        "stage": stage,
        "started": iso(execution.started),
        "ended": None if execution.status in RUNNING else iso(execution.updated),
        "reason": visible_reason(outcome.reason, detailed, outcome.job, stage),
        "job": job_document(outcome.job, detailed),
    }
