# SPDX-License-Identifier: Apache-2.0
"""FilterLogEvents as CloudWatch Logs answers it: streams by prefix, filter patterns, pages; and what else it refuses.

`aws logs filter-log-events` and `aws logs tail --follow` ask it. Everything else of the service is ministack's.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from mlops.local.kit import paging, shapes
from mlops.local.kit.errors import ApiError
from mlops.local.ministack import cloudwatch, router
from mlops.local.services.cloudwatch import patterns

_PAGE = 10_000
_MODEL = ServiceModel(Loader().load_service_model("logs", "service-2"), "logs")


def install() -> None:
    router.answer_first("logs", _answer)


def _answer(request: router.Request) -> router.Response | None:
    operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        if operation == "FilterLogEvents":
            answer = filter_log_events(_request(operation, request.body))
            return 200, {"content-type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()
        if operation == "DescribeLogStreams":
            _check_streams(_request(operation, request.body))
    except ApiError as error:
        content = {"__type": error.code, "message": error.message}
        return error.status, {"content-type": "application/x-amz-json-1.1"}, json.dumps(content).encode()
    return None


def _request(operation: str, body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except ValueError as error:
        raise ApiError("SerializationException", "The request body is not valid JSON.") from error
    problems = shapes.check(_MODEL.operation_model(operation).input_shape, request)
    if problems:
        raise _invalid(f"{len(problems)} validation error{'s'[: len(problems) > 1]} detected: {'; '.join(problems)}")
    return dict(request)


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)


def _check_streams(request: dict[str, Any]) -> None:
    if request.get("orderBy") == "LastEventTime" and request.get("logStreamNamePrefix"):
        raise _invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")


# --- FilterLogEvents ---------------------------------------------------------------------------------------


def filter_log_events(request: dict[str, Any]) -> dict[str, Any]:
    """A page of the events that match, oldest first, from all of the streams together."""
    streams = _streams(request)
    try:
        matches = patterns.compiled(request.get("filterPattern", ""))
    except patterns.BadPattern as problem:
        raise _invalid(str(problem)) from problem
    start, end = request.get("startTime", 0), request.get("endTime")
    merged: Iterable[tuple[int, str, int, dict[str, Any]]] = heapq.merge(
        *(_events(name, events) for name, events in streams.items()), key=lambda one: one[:3]
    )
    found = (
        {"logStreamName": name, **event}
        for moment, name, _, event in merged
        if moment >= start and (end is None or moment <= end) and matches(event["message"])
    )
    skipped, limit = _position(request.get("nextToken")), request.get("limit", _PAGE)
    page = [event for _, event in zip(range(skipped + limit + 1), found, strict=False)][skipped:]
    more = {"nextToken": paging.token(skipped + limit)} if len(page) > limit else {}
    return {"events": page[:limit], "searchedLogStreams": [], **more}


def _streams(request: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    identifier = request.get("logGroupName") or request.get("logGroupIdentifier")
    if not identifier or {"logGroupName", "logGroupIdentifier"} <= request.keys():
        raise _invalid("Specify either logGroupName or logGroupIdentifier.")
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if names and prefix:
        raise _invalid("logStreamNames and logStreamNamePrefix cannot be specified together.")
    held = cloudwatch.log_events(identifier)
    if held is None:
        raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
    if any(name not in held for name in names or ()):
        raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
    return {
        name: events for name, events in held.items() if (not names or name in names) and name.startswith(prefix or "")
    }


def _events(name: str, events: list[dict[str, Any]]) -> Iterator[tuple[int, str, int, dict[str, Any]]]:
    """In the order of their times; events of one time as they came."""
    for number, event in enumerate(sorted(events, key=lambda one: int(one["timestamp"]))):
        yield int(event["timestamp"]), name, number, event


def _position(token: str | None) -> int:
    try:
        return paging.position(token)
    except ValueError as error:
        raise _invalid("The specified nextToken is invalid.") from error
