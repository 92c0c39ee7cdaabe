# SPDX-License-Identifier: Apache-2.0
"""One page of pipelines: names from the bundle bucket, and each pipeline's status from AWS.

S3 lists keys in order, so the cost of a page does not depend on the number of pipelines.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any

from chalicelib import names
from chalicelib.aws.observed import RUNNING, Execution
from chalicelib.aws.port import Cloud, PipelineGone
from chalicelib.errors import RETRY_AFTER, Unavailable
from chalicelib.intake.query import Query
from chalicelib.planning.plan import TYPE_TAG
from chalicelib.settings import REQUEST_SECONDS, Settings
from chalicelib.status import report
from chalicelib.status.finding import delivery_stack_of, deployed_stacks
from chalicelib.status.outcome import iso

PAGE, LARGEST_PAGE = 25, 100
AT_ONCE = 5  # rows looked up at the same time: CloudFormation throttles an account's DescribeStacks calls
TIMEOUT = REQUEST_SECONDS - 5
ABSENT = "Absent"  # a bundle without a delivery stack


@dataclass(frozen=True)
class PageRequest:
    """Which page is requested."""

    prefix: str = ""  # of the pipelines' names
    limit: int = PAGE
    after: str = ""  # the last name of the previous page
    names_only: bool = False

    @classmethod
    def of(cls, query: Query, settings: Settings) -> PageRequest:
        """The page that the query parameters request; raises BadRequest."""
        request = cls(
            prefix=whole(query.name("prefix"), settings),
            limit=query.number("limit", PAGE, LARGEST_PAGE),
            after=query.name("next"),
            names_only=query.flag("names_only"),
        )
        query.done()
        return request


def whole(prefix: str, settings: Settings) -> str:
    """A prefix with the common beginning of all names, which callers can omit."""
    common = f"{settings.pipeline_stack_name}-"
    return prefix if prefix.startswith(common) or common.startswith(prefix) else common + prefix


def page(request: PageRequest, settings: Settings, cloud: Cloud) -> dict[str, Any]:
    """The response of GET /pipelines. Raises Unavailable if AWS throttles for longer than the timeout."""
    found, more = cloud.list_bundled_pipelines(request.prefix, request.after, request.limit)
    rows = [{"name": name} for name in found] if request.names_only else _rows(found, settings, cloud)
    return {"pipelines": rows, **({"next": found[-1]} if more and found else {})}


def _rows(found: list[str], settings: Settings, cloud: Cloud) -> list[dict[str, Any]]:
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        return list(pool.map(lambda name: row(name, settings, cloud), found, timeout=TIMEOUT))
    except FutureTimeoutError as error:
        raise Unavailable(
            "Describing the pipelines took too long. Retry, or request a smaller page.", retry_after=RETRY_AFTER
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def row(name: str, settings: Settings, cloud: Cloud) -> dict[str, Any]:
    """A pipeline's entry in the list."""
    delivery = delivery_stack_of(name, settings, cloud)
    if delivery is None:
        return _row(name, ABSENT)
    execution: Execution | None = None
    state: report.Document = {}
    if pipeline := delivery.outputs.get(names.PIPELINE_OUTPUT):
        try:
            execution = cloud.latest_execution(pipeline)
            if execution and execution.status in RUNNING:  # it may be waiting for an approval
                state = cloud.pipeline_state(pipeline)
        except PipelineGone:
            execution = Execution("", "Failed")
    rolled_back = report.is_rolled_back(delivery, cloud)
    deployed = deployed_stacks(delivery, cloud)
    snapshot = report.PipelineSnapshot(delivery, deployed, execution, state, rolled_back=rolled_back)
    return _row(name, report.status_of(snapshot), delivery.id, delivery.tags.get(TYPE_TAG), delivery.created, execution)


def _row(
    name: str,
    status: str,
    pipeline_id: str | None = None,
    pipeline_type: str | None = None,
    created: float = 0.0,
    execution: Execution | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "pipeline_id": pipeline_id,
        "pipeline_type": pipeline_type,
        "status": status,
        "created": iso(created),
        "last_run": _run(execution) if execution and execution.id else None,
    }


def _run(execution: Execution) -> dict[str, Any]:
    return {"id": execution.id, "status": execution.status, "started": iso(execution.started)}
