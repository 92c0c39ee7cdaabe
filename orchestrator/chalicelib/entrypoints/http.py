# SPDX-License-Identifier: Apache-2.0
"""What the routes do: bytes in, a Response out. Every error is returned in one shape (see errors.py).

Imported at the start is what provisioning needs; an operation imports what is its own when it is first called, since
a cold start waits for every import.
"""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib import operations
from chalicelib.accepted import Accepted
from chalicelib.aws.client import Aws
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest, Code, OrchestratorError, Problem
from chalicelib.intake.check import check_body
from chalicelib.intake.query import Query
from chalicelib.intake.request import describe, parse
from chalicelib.planning import plan as planning
from chalicelib.provisioning.provision import provision
from chalicelib.quoting import pointer
from chalicelib.settings import Settings

log = logging.getLogger("orchestrator")
log.setLevel(os.environ.get("LOG_LEVEL", "INFO"))


@dataclass(frozen=True)
class Caller:
    """Who calls; logged, which bodies are not."""

    request_id: str
    arn: str


@dataclass(frozen=True)
class Response:
    """An HTTP response; the body is JSON."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Deployment:
    """What a warm function keeps: its settings, its catalog and its connection to AWS."""

    settings: Settings
    catalog: Catalog
    cloud: Aws
    retrying_cloud: Aws  # for requests that make many calls: throttled calls are retried more often


@functools.cache
def _deployment() -> _Deployment:
    settings = Settings.from_environment(os.environ)
    return _Deployment(settings, Catalog(settings.catalog), Aws(settings), Aws(settings, attempts=4))


def _operation(operation: Callable[..., dict[str, Any]]) -> Callable[..., Response]:
    """Make an operation respond with its document or its error (see errors.py). The caller is the last argument."""

    @functools.wraps(operation)
    def respond(*call: Any) -> Response:
        *arguments, caller = call
        try:
            document = operation(*arguments)
        except OrchestratorError as error:
            log.info(
                "%s %s by %s: %s %s %s",
                operation.__name__,
                caller.request_id,
                caller.arn,
                error.status,
                error.message,
                error.detail,
            )
            return _error_response(error, caller)
        except Exception:
            log.exception("%s %s by %s", operation.__name__, caller.request_id, caller.arn)
            return _error_response(OrchestratorError("Internal error. The orchestrator's log has the details."), caller)
        status = 202 if isinstance(document, Accepted) else 200
        headers = {**_JSON, "Retry-After": str(document.retry_after)} if isinstance(document, Accepted) else _JSON
        log.info("%s %s by %s: %s", operation.__name__, caller.request_id, caller.arn, status)
        return Response(status, json.dumps(document, ensure_ascii=False), headers)

    return respond


@_operation
def provision_pipeline(raw: bytes) -> dict[str, Any]:
    """POST /provisionpipeline: create, update or run a pipeline; or an operation, whose type says which."""
    deployment = _deployment()
    body = parse(raw)
    if operation := operations.find(body.get("pipeline_type")):
        return operation.run(body, deployment.settings, deployment.cloud)
    checked = check_body(body, deployment.catalog, deployment.settings)
    resolved = {}
    if checked.unresolved:
        from chalicelib.provisioning.resolve import resolve

        resolved = resolve(checked.unresolved, deployment.settings, deployment.cloud)
        values = {name: one.value for name, one in resolved.items()}
        checked = check_body(body, deployment.catalog, deployment.settings, resolved=values)
    plan = planning.make(checked, deployment.settings, deployment.catalog)
    done = provision(plan, deployment.cloud)
    response: dict[str, Any] = {"message": done.message, "pipeline_id": done.pipeline_id, "name": plan.name}
    if done.execution_id:
        response["execution_id"] = done.execution_id
    if resolved:
        response["resolved"] = {name: one.document() for name, one in resolved.items()}
    if plan.warnings:
        response["warnings"] = [warning.document() for warning in plan.warnings]
    return response


@_operation
def pipeline_status(raw: bytes) -> dict[str, Any]:
    """POST /pipelinestatus: the status of the pipeline `pipeline_id`."""
    return _status(_pipeline_id(parse(raw)))


@_operation
def pipeline(name: str) -> dict[str, Any]:
    """GET /pipelines/{name}: the status of the pipeline in the path."""
    return _status(name)


@_operation
def pipeline_runs(name: str, query: Mapping[str, str]) -> dict[str, Any]:
    """GET /pipelines/{name}/runs: a pipeline's runs, the newest first."""
    from chalicelib.status import history
    from chalicelib.status.finding import deployed_stacks, find

    deployment = _deployment()
    page = history.Page.of(Query(query))
    delivery = find(name, deployment.settings, deployment.cloud)
    deployed = deployed_stacks(delivery, deployment.cloud)
    return history.runs(delivery, deployed, page, deployment.settings.allow_detailed_error_message, deployment.cloud)


def _status(pipeline_id: str) -> dict[str, Any]:
    from chalicelib.status import report

    deployment = _deployment()
    snapshot = report.look_up(pipeline_id, deployment.settings, deployment.cloud)
    if snapshot.reason and snapshot.reason.from_aws:
        log.info("%s: %s", snapshot.delivery.name, snapshot.reason.text)
    return report.document(snapshot, deployment.settings.allow_detailed_error_message)


@_operation
def list_pipelines(query: Mapping[str, str]) -> dict[str, Any]:
    """GET /pipelines: one page of them."""
    from chalicelib.managing import listing

    deployment = _deployment()
    request = listing.PageRequest.of(Query(query), deployment.settings)
    return listing.page(request, deployment.settings, deployment.retrying_cloud)


@_operation
def delete_pipeline(name: str, query: Mapping[str, str]) -> dict[str, Any]:
    """DELETE /pipelines/{name}: the next step of a pipeline's deletion."""
    from chalicelib.managing import delete

    deployment = _deployment()
    parameters = Query(query)
    stop, dry_run = parameters.flag("stop"), parameters.flag("dry_run")
    parameters.done()
    target = delete.target(name, deployment.settings)
    done = delete.delete(target, deployment.cloud, stop, dry_run)
    document = done.document(target.name, deployment.settings)
    return Accepted(document, done.retry_after) if done.retry_after else document


@_operation
def stop_pipeline(name: str, raw: bytes) -> dict[str, Any]:
    """POST /pipelines/{name}/stop: stop a pipeline's runs and their jobs."""
    from chalicelib.managing.stop import stop
    from chalicelib.status.finding import find

    deployment = _deployment()
    if unknown := parse(raw) if raw.strip() else {}:
        raise BadRequest("Invalid stop request", [_unknown_key(key) for key in unknown])
    return stop(find(name, deployment.settings, deployment.cloud), deployment.cloud).document()


_JSON = {"Content-Type": "application/json"}
_PIPELINE_ID = "the pipeline_id or the name that /provisionpipeline returned"


def _unknown_key(key: str) -> Problem:
    return Problem(pointer(key), Code.UNKNOWN_KEY, "is an unknown key", "remove it")


def _pipeline_id(body: Mapping[str, Any]) -> str:
    problems = [_unknown_key(key) for key in body if key != "pipeline_id"]
    found = body.get("pipeline_id")
    if found is None or found == "":
        problems.append(Problem("/pipeline_id", Code.MISSING, "is missing", _PIPELINE_ID))
    elif not isinstance(found, str):
        problems.append(Problem("/pipeline_id", Code.WRONG_TYPE, f"is {describe(found)}, not a string", _PIPELINE_ID))
    if problems:
        raise BadRequest("Invalid status request", problems)
    return str(found)


def _error_response(error: OrchestratorError, caller: Caller) -> Response:
    body: dict[str, Any] = {
        "message": error.message,
        "errors": [problem.document() for problem in error.problems],
        "request_id": caller.request_id,
    }
    if error.detail and _deployment().settings.allow_detailed_error_message:
        body["detail"] = error.detail
    headers = {**_JSON, "Retry-After": str(error.retry_after)} if error.retry_after else _JSON
    return Response(error.status, json.dumps(body, ensure_ascii=False), headers)
