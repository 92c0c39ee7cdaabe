# SPDX-License-Identifier: Apache-2.0
"""CloudFormation: resource types, changes, templates and stacks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.services import cloudformation as _cloudformation
from ministack.services.cloudformation import changesets as _changesets
from ministack.services.cloudformation import engine as _engine
from ministack.services.cloudformation import handlers as _stack_operations
from ministack.services.cloudformation import helpers as _stack_helpers
from ministack.services.cloudformation import provisioners as _provisioners
from ministack.services.cloudformation import stacks as _stacks

from mlops.local import activity
from mlops.local.ministack import router

Wire = Callable[..., Any]
STACKS = "cloudformation"  # as `state` and `activity` call it


def add_resource_type(type_name: str, create: Wire, update: Wire, delete: Wire, tag_property: str | None) -> None:
    """Have CloudFormation make a type's resources with these functions.

    They are create(logical_id, properties, stack_name), update(physical_id, old, new, stack_name, logical_id) and
    delete(physical_id, properties, logical_id); the first two return (physical id, attributes).
    """
    if tag_property:
        _provisioners._STACK_TAG_PROPERTY[type_name] = (tag_property, "list")
    _provisioners._RESOURCE_HANDLERS[type_name] = {
        "create": create,
        "update": update,
        "update_with_logical_id": True,
        "delete": delete,
        "delete_with_logical_id": True,
    }


def replace_on(type_name: str, properties: tuple[str, ...]) -> None:
    """A change of one of these properties makes a new resource."""
    _provisioners._REPLACING_PROPERTIES[type_name] = properties


def on_worker_thread(chosen: Callable[[str], bool]) -> None:
    """Also provision these types off the event loop: their handlers wait."""
    before = _stacks._runs_on_worker_thread
    _stacks._runs_on_worker_thread = lambda type_name: chosen(type_name) or before(type_name)


@dataclass(frozen=True)
class Change:
    """What CloudFormation is about to do to one resource."""

    operation: str  # "create", "update" or "delete"
    type_name: str
    logical_id: str
    physical_id: str | None  # None before it exists
    stack: dict[str, Any]
    old: dict[str, Any]
    new: dict[str, Any]
    replaces: bool = False


def check_changes(check: Callable[[Change], None]) -> None:
    """Call `check` before any resource is made, updated or deleted; what it raises fails the resource."""
    provision, update, delete = _stacks._provision_resource, _stacks._update_resource, _stacks._delete_resource

    def of(stack_name: str | None) -> dict[str, Any]:
        return stack(stack_name or "") or {"StackName": stack_name or "", "StackId": "", "StackStatus": ""}

    def checked_provision(type_name: str, logical_id: str, new: dict[str, Any], stack_name: str) -> Any:
        check(Change("create", type_name, logical_id, None, of(stack_name), {}, new))
        return provision(type_name, logical_id, new, stack_name)

    def checked_update(
        type_name: str,
        physical_id: str,
        old: dict[str, Any],
        new: dict[str, Any],
        stack_name: str,
        logical_id: str,
        *rest: Any,
    ) -> Any:
        if old != new:
            replaces = _provisioners._replacing_change(type_name, old, new)
            check(Change("update", type_name, logical_id, physical_id, of(stack_name), old, new, replaces))
        return update(type_name, physical_id, old, new, stack_name, logical_id, *rest)

    def checked_delete(
        type_name: str,
        physical_id: str,
        old: dict[str, Any],
        stack_name: str | None = None,
        logical_id: str | None = None,
    ) -> None:
        check(Change("delete", type_name, logical_id or physical_id, physical_id, of(stack_name), old, {}))
        delete(type_name, physical_id, old, stack_name, logical_id)

    _stacks._provision_resource, _stacks._update_resource = checked_provision, checked_update
    _stacks._delete_resource = checked_delete


def name_like_cloudformation(type_name: str, member: str, name: Callable[[str, str], str]) -> None:
    """Name resources of a type that ministack names its own way: `name(stack name, logical id)` where none is given."""
    provision, update = _stacks._provision_resource, _stacks._update_resource

    def named_provision(resource_type: str, logical_id: str, new: dict[str, Any], stack_name: str) -> Any:
        if resource_type == type_name and member not in new:
            new = {**new, member: name(stack_name, logical_id)}
        return provision(resource_type, logical_id, new, stack_name)

    def named_update(resource_type: str, physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
        if resource_type == type_name and member not in old and member not in new:
            old, new = {**old, member: physical_id}, {**new, member: physical_id}
        return update(resource_type, physical_id, old, new, *rest)

    _stacks._provision_resource, _stacks._update_resource = named_provision, named_update


def after_changes(type_name: str, finish: Callable[[str, dict[str, Any]], None]) -> None:
    """Call `finish(physical id, properties)` after a resource of one of ministack's types was made or updated."""
    handlers = _provisioners._RESOURCE_HANDLERS[type_name]
    create, update = handlers["create"], handlers["update"]

    def finishing_create(logical_id: str, new: dict[str, Any], stack_name: str) -> Any:
        made = create(logical_id, new, stack_name)
        finish(made[0], new)
        return made

    def finishing_update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
        made = update(physical_id, old, new, *rest)
        finish(made[0], new)
        return made

    handlers["create"], handlers["update"] = finishing_create, finishing_update


def check_templates(check: Callable[[dict[str, Any]], None]) -> None:
    """Call `check(template)` when a template arrives; a ValueError refuses it as a ValidationError."""
    before = _stack_operations.validate_template_support

    def checked(template: dict[str, Any], conditions: dict[str, bool], **rest: Any) -> None:
        before(template, conditions, **rest)
        check(template)

    _stack_operations.validate_template_support = _changesets.validate_template_support = checked


def check_types(check: Callable[[set[str]], None]) -> None:
    """Call `check` with the types of the resources that a template makes, before ministack looks at them."""
    before = _stack_operations.validate_template_support

    def checked(template: dict[str, Any], conditions: dict[str, bool], **rest: Any) -> None:
        resources = template.get("Resources")
        made = [
            one
            for one in (resources.values() if isinstance(resources, dict) else ())
            if isinstance(one, dict) and conditions.get(one.get("Condition", ""), True)
        ]
        check({one["Type"] for one in made if isinstance(one.get("Type"), str)})
        before(template, conditions, **rest)

    _stack_operations.validate_template_support = _changesets.validate_template_support = checked


def has_resource_type(type_name: str) -> bool:
    return type_name in _provisioners._RESOURCE_HANDLERS


def check_parameters(check: Callable[[dict[str, Any], list[str]], None]) -> None:
    """Call `check(template, names)` with the parameters that a request gives; a ValueError is a ValidationError."""
    before = _stack_operations._resolve_parameters

    def checked(template: dict[str, Any], provided_params: list[dict[str, Any]], *rest: Any, **more: Any) -> Any:
        check(template, [one["Key"] for one in provided_params])
        return before(template, provided_params, *rest, **more)

    _stack_operations._resolve_parameters = _changesets._resolve_parameters = checked


def template_references(value: Any) -> set[str]:
    """The names that Ref, Fn::GetAtt and Fn::Sub mention anywhere below `value`."""
    return {name for name, _ in _engine._intrinsic_references(value)}


def needs(resource: dict[str, Any], logical_id: str) -> bool:
    """Whether a resource of a template depends on another one, in whatever way."""
    return logical_id in _engine._extract_deps(resource, {logical_id})


def stack(name_or_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _stack_operations._resolve_stack(name_or_id)
    return found


def stack_error(code: str, message: str, status: int) -> router.Response:
    """An error in CloudFormation's protocol."""
    answer: router.Response = _stack_helpers._error(code, message, status)
    return answer


def stack_owning(physical_id: str) -> dict[str, Any] | None:
    for record in _cloudformation._stacks.values():
        if any(held["PhysicalResourceId"] == physical_id for held in record.get("_resources", {}).values()):
            return dict(record)
    return None


def note_stack_operations() -> None:
    """Let `activity` know while an operation on a stack runs, or a request that may change one."""
    schedule = _stacks._create_stack_task_in_region

    async def noted(operation: Any) -> None:
        with activity.working(STACKS):
            await operation

    def schedule_noted(operation: Any, *rest: Any) -> None:
        schedule(noted(operation), *rest)

    def wrapper(handler: router.Handler) -> router.Handler:
        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
        ) -> router.Response:
            if router.form(body, query).get("Action", "").startswith(("Describe", "List", "Get")):
                return await handler(method, path, headers, body, query)
            with activity.working(STACKS):
                return await handler(method, path, headers, body, query)

        return handle

    _stack_operations._create_stack_task_in_region = _changesets._create_stack_task_in_region = schedule_noted
    router.wrap_service("cloudformation", wrapper)


def show_update_time_after_updates() -> None:
    """A stack that was not updated has no LastUpdatedTime."""
    create, describe = _stack_operations._create_stack, _stack_operations._describe_stacks

    def create_stack(parameters: dict[str, Any]) -> Any:
        answer = create(parameters)
        record = _stack_operations._resolve_stack(_stack_operations._p(parameters, "StackName"))
        if record and answer[0] == 200:
            record.pop("LastUpdatedTime", None)
        return answer

    def describe_stacks(parameters: dict[str, Any]) -> Any:
        status, headers, body = describe(parameters)
        return status, headers, re.sub(rb"<(LastUpdatedTime|StackStatusReason|Description)></\1>", b"", body)

    _stack_operations._ACTION_HANDLERS.update(CreateStack=create_stack, DescribeStacks=describe_stacks)
