# SPDX-License-Identifier: Apache-2.0
"""Installs, updates and deletes the main stack.

The same in AWS and in the laptop account. A session is any object with `client(service)` and `region_name`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError
from chalicelib.aws.calls import is_no_such_stack
from chalicelib.aws.observed import STACK_PHASES, Phase

from mlops.deploy.errors import InstallError
from mlops.deploy.upload import upload

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import CapabilityType
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackEventTypeDef, StackTypeDef

__all__ = ["InstallError", "ResourceEvent", "install", "uninstall", "upload"]

CAPABILITIES: list[CapabilityType] = ["CAPABILITY_IAM"]
# Without anything in it that is worth keeping.
TO_DELETE = {status for status, phase in STACK_PHASES.items() if phase is Phase.NEVER_COMPLETED}
TO_DELETE |= {"REVIEW_IN_PROGRESS", "DELETE_FAILED"}
GOOD_ENDS = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
# CloudFormation's reasons for resources that were canceled because another one failed.
CONSEQUENCES = ("Resource creation cancelled", "Resource update cancelled")


@dataclass(frozen=True)
class ResourceEvent:
    """An event of one resource of the stack."""

    logical_id: str
    resource_type: str
    status: str
    reason: str


OnEvent = Callable[[ResourceEvent], None]


def install(
    session: boto3.Session,
    stack_name: str,
    template_url: str,
    parameters: Mapping[str, str],
    on_event: OnEvent | None = None,
    poll_seconds: float | None = None,
) -> dict[str, str]:
    """Create or update the stack, wait for it and return its outputs. No changes are a success.

    On an update, parameters that are not given keep their values. A stack that failed to create is recreated.
    """
    stack = _Stack(session, stack_name, on_event, poll_seconds)
    found = stack.wait()
    if found is not None and found["StackStatus"] in TO_DELETE:
        uninstall(session, stack_name, on_event, poll_seconds)
        found = None
    if found is None:
        stack.create(template_url, parameters)
    elif not stack.update(template_url, parameters, found):
        return _outputs(found)
    ended = stack.wait()
    if ended is None or ended["StackStatus"] not in GOOD_ENDS:
        raise InstallError(stack.failure_reason())
    return _outputs(ended)


def uninstall(
    session: boto3.Session, stack_name: str, on_event: OnEvent | None = None, poll_seconds: float | None = None
) -> None:
    """Delete the stack and wait until it is deleted. Buckets, images and model packages are retained."""
    stack = _Stack(session, stack_name, on_event, poll_seconds)
    found = stack.describe()
    if found is None:
        return
    stack.delete()
    if stack.wait() is not None:
        raise InstallError(stack.failure_reason())


class _Stack:
    """A stack and its unreported events."""

    def __init__(self, session: boto3.Session, name: str, on_event: OnEvent | None, poll_seconds: float | None) -> None:
        self._cloudformation = session.client("cloudformation")
        self._name = name
        self._id = ""  # unknown yet
        self._on_event = on_event or (lambda event: None)
        # AWS throttles frequent calls; the laptop account does not.
        local = "amazonaws" not in self._cloudformation.meta.endpoint_url
        self._pause = poll_seconds if poll_seconds is not None else 0.2 if local else 5.0
        self._begun = False
        self._told: set[str] = set()
        self._failures: list[ResourceEvent] = []

    def describe(self) -> StackTypeDef | None:
        try:
            stack = self._cloudformation.describe_stacks(StackName=self._id or self._name)["Stacks"][0]
        except ClientError as error:
            if is_no_such_stack(error):
                return None
            raise
        self._id = stack["StackId"]
        return stack

    def create(self, template_url: str, parameters: Mapping[str, str]) -> None:
        self._begin()
        try:
            self._template_parameters(template_url, parameters)
            made = self._cloudformation.create_stack(
                StackName=self._name,
                TemplateURL=template_url,
                Capabilities=CAPABILITIES,
                Parameters=_as_list(parameters),
                OnFailure="ROLLBACK",
            )
        except ClientError as error:
            raise InstallError(f"{self._name}: {_error_message(error)}") from error
        self._id = made["StackId"]

    def update(self, template_url: str, parameters: Mapping[str, str], found: StackTypeDef) -> bool:
        """Start an update; False if there are no changes."""
        self._begin()
        had = {parameter["ParameterKey"] for parameter in found.get("Parameters", [])}
        try:
            kept = sorted(self._template_parameters(template_url, parameters) & (had - set(parameters)))
            self._cloudformation.update_stack(
                StackName=self._name,
                TemplateURL=template_url,
                Capabilities=CAPABILITIES,
                Parameters=_as_list(parameters) + [{"ParameterKey": key, "UsePreviousValue": True} for key in kept],
            )
        except ClientError as error:
            if "No updates are to be performed" in _error_message(error):
                return False
            raise InstallError(f"{self._name}: {_error_message(error)}") from error
        return True

    def _template_parameters(self, template_url: str, parameters: Mapping[str, str]) -> set[str]:
        """The template's parameters. Raises InstallError for an unknown parameter, with the most similar name."""
        summary = self._cloudformation.get_template_summary(TemplateURL=template_url)
        takes = {one["ParameterKey"] for one in summary["Parameters"]}
        for name in sorted(set(parameters) - takes):
            near = get_close_matches(name, sorted(takes), 1)
            raise InstallError(
                f"{self._name}: the template has no parameter {name!r}"
                + (f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(sorted(takes))}")
            )
        return takes

    def delete(self) -> None:
        self._begin()
        self._cloudformation.delete_stack(StackName=self._id)

    def wait(self) -> StackTypeDef | None:
        """Wait for the operation to end, reporting events; returns None if the stack does not exist any more."""
        while True:
            stack = self.describe()
            if stack is None or stack["StackStatus"] == "DELETE_COMPLETE":
                return None
            if self._begun:
                self._report_events()
            if not stack["StackStatus"].endswith("_IN_PROGRESS") or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
                return stack
            time.sleep(self._pause)

    def failure_reason(self) -> str:
        """The first failure, which is the cause of the later ones."""
        for event in self._failures:
            if not event.reason.startswith(CONSEQUENCES):
                return f"{self._name}: {event.logical_id} ({event.resource_type}) {event.status}: {event.reason}"
        stack = self.describe()
        if stack is None:
            return f"{self._name}: gone: CloudFormation gave no reason"
        reason = stack.get("StackStatusReason", "CloudFormation gave no reason")
        return f"{self._name}: {stack['StackStatus']}: {reason}"

    def _begin(self) -> None:
        """Ignore the events before this operation."""
        self._begun = True
        self._failures.clear()
        if self._id:
            self._told.update(event["EventId"] for event in self._events())

    def _report_events(self) -> None:
        fresh = [event for event in self._events() if event["EventId"] not in self._told]
        for item in reversed(fresh):
            self._told.add(item["EventId"])
            event = ResourceEvent(
                item["LogicalResourceId"],
                item.get("ResourceType", ""),
                item["ResourceStatus"],
                item.get("ResourceStatusReason", ""),
            )
            if event.status.endswith("_FAILED") and event.logical_id != self._name:
                self._failures.append(event)
            self._on_event(event)

    def _events(self) -> list[StackEventTypeDef]:
        """The stack's events, latest first, back to one that was reported."""
        events: list[StackEventTypeDef] = []
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=self._id)
        for page in pages:
            events += page["StackEvents"]
            if any(event["EventId"] in self._told for event in page["StackEvents"]):
                break
        return events


def _outputs(stack: StackTypeDef) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _as_list(parameters: Mapping[str, str]) -> list[ParameterTypeDef]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def _error_message(error: ClientError) -> str:
    return str(error.response["Error"].get("Message", error))
