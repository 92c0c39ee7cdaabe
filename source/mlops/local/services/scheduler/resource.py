# SPDX-License-Identifier: Apache-2.0
"""`AWS::Scheduler::Schedule`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mlops.local.cloudformation.resources import Properties, Request, Resource, generated_name, resource
from mlops.local.kit.errors import ApiError
from mlops.local.services.scheduler.records import schedule_arn, schedules
from mlops.local.services.scheduler.schedules import scheduler

_NAME_LIMIT = 64


@resource
class Schedule:
    type_name = "AWS::Scheduler::Schedule"

    def create(self, properties: Properties, request: Request) -> Resource:
        name = properties.get("Name") or generated_name(request, _NAME_LIMIT)
        if name not in schedules:  # what is there already isn't this stack's
            request.identify(name)
        scheduler.call("CreateSchedule", _wanted(name, properties), request.caller)
        return _made(name, request)

    def update(self, physical_id: str, old: Properties, new: Properties, request: Request) -> Resource:
        scheduler.call("UpdateSchedule", _wanted(physical_id, new), request.caller)
        return _made(physical_id, request)

    def delete(self, physical_id: str, properties: Properties, request: Request) -> None:
        try:
            scheduler.call("DeleteSchedule", {"Name": physical_id}, request.caller)
        except ApiError as error:
            if error.code != "ResourceNotFoundException":
                raise


def _wanted(name: str, properties: Properties) -> dict[str, Any]:
    wanted = {**properties, "Name": name}
    for member in ("StartDate", "EndDate"):
        if member in wanted:
            wanted[member] = _date(wanted[member])
    return wanted


def _date(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError("ValidationException", f"{text} is not a date.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _made(name: str, request: Request) -> Resource:
    return Resource(name, {"Arn": schedule_arn(request.caller, name)})
