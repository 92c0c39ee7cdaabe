# SPDX-License-Identifier: Apache-2.0
"""Schedules: the API. All are in the group `default`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mlops.local.kit import identity, paging
from mlops.local.kit.api import Api
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.scheduler import clock, due, targets
from mlops.local.services.scheduler.records import GROUP, PRINCIPAL, group_arn, schedule_arn, schedules, store
from mlops.local.state.store import Record

scheduler = Api("scheduler")
_DEFAULTS = {"State": "ENABLED", "ActionAfterCompletion": "NONE", "ScheduleExpressionTimezone": "UTC"}
_SUMMARY = ("Arn", "CreationDate", "GroupName", "LastModificationDate", "Name", "State")
_PAGE = 100


@scheduler.resources
def _resources(operation: str, request: dict[str, Any], caller: Caller) -> list[str]:
    if "Name" not in request or operation.endswith("Group"):
        return ["*"]
    return [schedule_arn(caller, request["Name"], request.get("GroupName", GROUP))]


@scheduler.operation("CreateSchedule")
def create_schedule(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = request["Name"]
    _check_group(request)
    moment = _now()
    record = _record(request, caller, created=moment, changed=moment)
    with schedules.lock:
        if name in schedules:
            raise ApiError("ConflictException", f"Schedule {name} already exists.")
        schedules[name] = record
    clock.watch(record, caller, moment - clock.PRECISION)
    return {"ScheduleArn": record["Arn"]}


@scheduler.operation("UpdateSchedule")
def update_schedule(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """As on AWS, what the request leaves out gets its default."""
    moment = _now()
    record = _record(request, caller, _found(request)["CreationDate"], changed=moment)
    schedules[request["Name"]] = record
    clock.watch(record, caller, moment)
    return {"ScheduleArn": record["Arn"]}


@scheduler.operation("GetSchedule")
def get_schedule(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return dict(_found(request))


@scheduler.operation("DeleteSchedule")
def delete_schedule(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    _found(request)
    schedules.pop(request["Name"], None)
    return {}


@scheduler.operation("ListSchedules")
def list_schedules(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    _check_group(request)
    found = [
        record
        for name, record in sorted(schedules.items())
        if name.startswith(request.get("NamePrefix", "")) and record["State"] == request.get("State", record["State"])
    ]
    try:
        start = paging.position(request.get("NextToken"))
    except ValueError as error:
        raise ApiError("ValidationException", "Invalid NextToken.") from error
    end = start + request.get("MaxResults", _PAGE)
    summaries = [
        {**{name: record[name] for name in _SUMMARY}, "Target": {"Arn": record["Target"]["Arn"]}}
        for record in found[start:end]
    ]
    return {"Schedules": summaries, **({"NextToken": paging.token(end)} if end < len(found) else {})}


@store.on_load
def _watch_again() -> None:
    for record in schedules.values():
        clock.watch(record, identity.current_caller(), _now())


def _record(request: dict[str, Any], caller: Caller, created: datetime, changed: datetime) -> Record:
    record = {
        **_DEFAULTS,
        **{member: value for member, value in request.items() if member != "ClientToken"},
        "GroupName": GROUP,
        "Arn": schedule_arn(caller, request["Name"]),
        "CreationDate": created,
        "LastModificationDate": changed,
    }
    try:
        due.check(record)
        targets.check(record["Target"])
    except ValueError as error:
        raise ApiError("ValidationException", str(error)) from error
    try:
        identity.check_role(record["Target"]["RoleArn"], PRINCIPAL, caller, group_arn(caller))
    except ApiError as error:
        message = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        raise ApiError("ValidationException", message) from error
    return record


def _found(request: dict[str, Any]) -> Record:
    _check_group(request)
    if request["Name"] not in schedules:
        raise ApiError("ResourceNotFoundException", f"Schedule {request['Name']} does not exist.", 404)
    return schedules[request["Name"]]


def _check_group(request: dict[str, Any]) -> None:
    if request.get("GroupName", GROUP) != GROUP:
        raise ApiError("ResourceNotFoundException", f"Schedule group {request['GroupName']} does not exist.", 404)


def _now() -> datetime:
    return datetime.now(UTC)
