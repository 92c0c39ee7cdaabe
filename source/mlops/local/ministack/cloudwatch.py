# SPDX-License-Identifier: Apache-2.0
"""Logs and metrics as ministack keeps them, and what goes through the stages of REST APIs."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import ministack.app as _app
from ministack.core import iam_evaluator as _iam_evaluator
from ministack.core import router as _router
from ministack.services import apigateway_v1 as _apigateway
from ministack.services import cloudwatch as _cloudwatch
from ministack.services import cloudwatch_logs as _logs

from mlops.local.ministack import context

Response = tuple[int, dict[str, str], bytes]


# --- logs --------------------------------------------------------------------------------------------------


def log_events(group: str) -> dict[str, list[dict[str, Any]]] | None:
    """The events of each stream of a log group, by its name or its ARN; None for a group that isn't there."""
    name = _logs._resolve_log_group_name(
        {"logGroupIdentifier": group} if group.startswith("arn:") else {"logGroupName": group}
    )
    found = _logs._log_groups.get(name)
    return None if found is None else {stream: list(held["events"]) for stream, held in found["streams"].items()}


def write_log(group: str, stream: str, moment: int, message: str) -> bool:
    """Write one event; whether the group is there. The stream is made."""
    found = _logs._log_groups.get(group)
    if found is None:
        return False
    if stream not in found["streams"]:
        _logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    event = {"timestamp": moment, "message": message}
    _logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": [event]})
    return True


# --- metrics -----------------------------------------------------------------------------------------------


def record_metric(
    namespace: str,
    name: str,
    values: Sequence[float],
    unit: str,
    dimensions: Mapping[str, str],
    moment: float | None = None,
) -> None:
    """Values of a metric; all of one minute are one set of statistics, which is how fine AWS's services measure."""
    moment = moment or time.time()
    statistics = {"SampleCount": float(len(values)), "Sum": sum(values), "Minimum": min(values), "Maximum": max(values)}
    points = _cloudwatch._metric_bucket((namespace, name, _cloudwatch._dims_key(dict(dimensions))))
    last = points[-1] if points else {}
    if "_stat" in last and last["Timestamp"] // 60 == moment // 60:
        before = points.pop()["_stat"]
        statistics = {
            "SampleCount": before["SampleCount"] + statistics["SampleCount"],
            "Sum": before["Sum"] + statistics["Sum"],
            "Minimum": min(before["Minimum"], statistics["Minimum"]),
            "Maximum": max(before["Maximum"], statistics["Maximum"]),
        }
    _cloudwatch._store_datum(namespace, name, dict(dimensions), moment, unit, None, None, None, statistics)


# --- REST APIs ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Access:
    """One request to a stage, and how it was answered."""

    api_id: str
    stage: str
    request_id: str
    caller: str
    started: float
    seconds: float
    method: str
    path: str
    headers: Mapping[str, str]
    status: int
    answer_headers: Mapping[str, str]
    answer: bytes


_request_id: ContextVar[str] = ContextVar("request_id", default="")


def after_access(tell: Callable[[Access, dict[str, Any]], None]) -> None:
    """Call `tell(access, stage)` after each request to a stage of a REST API; `stage` is its record."""
    before, new_uuid = _app._handle_execute_api_request, _apigateway.new_uuid

    async def told(
        host: str,
        path: str,
        method: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, Any],
        *rest: Any,
        **more: Any,
    ) -> Any:
        parsed = _app._parse_execute_api_url(host, path)
        scope = _apigateway.find_api_scope(parsed[0]) if parsed else None
        if parsed is None or scope is None:
            return await before(host, path, method, headers, body, query, *rest, **more)
        request_id, started = str(uuid.uuid4()), time.time()
        token = _request_id.set(request_id)
        try:
            answer = await before(host, path, method, headers, body, query, *rest, **more)
        finally:
            _request_id.reset(token)
        if answer is None:
            return None
        status, answered, content = answer
        api_id, stage_name, inner = parsed
        answered = {
            **{name: value for name, value in answered.items() if name.lower() != "x-amzn-requestid"},
            "x-amzn-requestid": request_id,
        }
        with context.scope(*scope):
            stage = _apigateway._stages_v1.get(api_id, {}).get(stage_name)
            if stage is not None:
                tell(
                    Access(
                        api_id,
                        stage_name,
                        request_id,
                        _caller(headers, query),
                        started,
                        time.time() - started,
                        method,
                        inner,
                        headers,
                        int(status),
                        answered,
                        content if isinstance(content, bytes) else b"",
                    ),
                    stage,
                )
        return status, answered, content

    _app._handle_execute_api_request = told
    _apigateway.new_uuid = lambda: _request_id.get() or new_uuid()


def _caller(headers: Mapping[str, str], query: Mapping[str, Any]) -> str:
    """Who signed a request, if its signature was found right."""
    key = _router.extract_access_key_id(headers, query)
    return str(_iam_evaluator.caller_arn()) if key and _iam_evaluator._verified_key.get() == key else ""


def set_access_log(api_id: str, stage_name: str, settings: dict[str, str]) -> None:
    """Keep a stage's access log settings, which ministack's resource type leaves out."""
    with contextlib.suppress(KeyError):
        _apigateway._stages_v1[api_id][stage_name]["accessLogSettings"] = settings
