# SPDX-License-Identifier: Apache-2.0
"""CloudFormation resource types of our own, and the registry's rules for everybody's.

A type is a class with `type_name`, `create`, `update` and `delete`, registered by `@resource`. Its properties
arrive checked against the registry schema, with numbers as numbers. A change of a create-only property never
reaches `update`: CloudFormation makes a new resource and deletes the old one.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from mlops.local.cloudformation import schemas
from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import cloudformation, stack_records

Properties = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """Who asks for a resource: `caller` is the stack's role, or who called CloudFormation if it has none."""

    logical_id: str
    stack_name: str
    stack_id: str
    caller: Caller
    token: str
    identify: Callable[[str], None] = lambda physical_id: None
    """To be called with the physical id before the resource is made, so that a kill in between forgets nothing."""


@dataclass(frozen=True)
class Resource:
    """What came of it: `physical_id` answers Ref, `attributes` answer Fn::GetAtt."""

    physical_id: str
    attributes: dict[str, Any] = field(default_factory=dict)


class ResourceType(Protocol):
    type_name: str

    def create(self, properties: Properties, request: Request) -> Resource: ...
    def update(self, physical_id: str, old: Properties, new: Properties, request: Request) -> Resource: ...
    def delete(self, physical_id: str, properties: Properties, request: Request) -> None: ...


class ResourceFailed(Exception):
    """Fails a resource; the message is the reason its stack shows."""


_registered: dict[str, ResourceType] = {}
_Class = TypeVar("_Class", bound=Callable[[], Any])


def resource(cls: _Class) -> _Class:
    """Class decorator: register a resource type."""
    instance: ResourceType = cls()
    _registered[instance.type_name] = instance
    return cls


def is_registered(type_name: str) -> bool:
    """Whether a type is one of our own."""
    return type_name in _registered


def generated_name(request: Request, limit: int) -> str:
    """`<stack>-<logical id>-<12 random>`, cut to `limit` as CloudFormation cuts: the stack's name first."""
    return _generated(request.stack_name, request.logical_id, limit)


def _generated(stack_name: str, logical_id: str, limit: int = 512) -> str:
    suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(12))
    room = limit - len(suffix) - 2
    logical_id = logical_id[: max(room // 2, room - len(stack_name))]
    return f"{stack_name[: room - len(logical_id)]}-{logical_id}-{suffix}"


# --- between CloudFormation and a type ---------------------------------------------------------------------


def install() -> None:
    """Make our types known, and hold every resource of every template to its schema."""
    for type_name, instance in _registered.items():
        _add(type_name, instance)
    cloudformation.on_worker_thread(is_registered)
    cloudformation.name_like_cloudformation("AWS::Logs::LogGroup", "LogGroupName", _generated)
    cloudformation.check_changes(_check)
    cloudformation.check_templates(_check_references)
    cloudformation.check_parameters(_check_parameters)


def _add(type_name: str, instance: ResourceType) -> None:
    def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, dict[str, Any]]:
        def identify(physical_id: str) -> None:
            stack_records.making(stack_name, logical_id, type_name, physical_id, properties)

        request = replace(_request(logical_id, cloudformation.stack(stack_name)), identify=identify)
        return _run(instance.create, request, schemas.coerce(type_name, properties))

    def update(
        physical_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str
    ) -> tuple[str, dict[str, Any]]:
        request = _request(logical_id, cloudformation.stack(stack_name))
        before, after = (schemas.coerce(type_name, properties) for properties in (old, new))
        return _run(instance.update, request, physical_id, before, after)

    def delete(physical_id: str, properties: Properties, logical_id: str | None) -> None:
        request = _request(logical_id or physical_id, cloudformation.stack_owning(physical_id))
        try:
            instance.delete(physical_id, schemas.coerce(type_name, properties), request)
        except ApiError as error:
            raise ResourceFailed(_reason(error)) from error

    cloudformation.add_resource_type(type_name, create, update, delete, schemas.tag_property(type_name))
    cloudformation.replace_on(type_name, schemas.create_only(type_name))


def _request(logical_id: str, stack: dict[str, Any] | None) -> Request:
    stack = stack or {"StackName": "", "StackId": ""}
    return Request(logical_id, stack["StackName"], stack["StackId"], identity.current_caller(), secrets.token_hex(16))


def _run(handler: Callable[..., Resource], request: Request, *args: Any) -> tuple[str, dict[str, Any]]:
    try:
        made = handler(*args, request)
    except ApiError as error:
        raise ResourceFailed(_reason(error)) from error
    return made.physical_id, made.attributes


def _reason(error: ApiError) -> str:
    return f'Resource handler returned message: "{error.message}" (HandlerErrorCode: {_handler_code(error)})'


def _handler_code(error: ApiError) -> str:
    if "NotFound" in error.code:
        return "NotFound"
    if error.code.startswith("AccessDenied"):
        return "AccessDenied"
    if "InUse" in error.code or "AlreadyExists" in error.code:
        return "AlreadyExists"
    if "Limit" in error.code:
        return "ServiceLimitExceeded"
    return "InvalidRequest" if error.status < 500 else "GeneralServiceException"


# --- the registry's rules ----------------------------------------------------------------------------------


def _check(change: cloudformation.Change) -> None:
    if change.operation == "delete":
        return
    given = dict(change.new)
    tag_property = schemas.tag_property(change.type_name)
    if tag_property and isinstance(given.get(tag_property), list):
        # CloudFormation's own tags are not the template's
        own = [tag for tag in given[tag_property] if not str(tag.get("Key", "")).startswith("aws:")]
        given[tag_property] = own
        if not own:
            del given[tag_property]
    problems = schemas.problems(change.type_name, given)
    if problems:
        raise ResourceFailed(
            f"Properties validation failed for resource {change.logical_id} with message:\n" + "\n".join(problems)
        )


_PSEUDO = {
    "AWS::AccountId",
    "AWS::NotificationARNs",
    "AWS::NoValue",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
}


def _check_parameters(template: dict[str, Any], names: list[str]) -> None:
    """A parameter that the template doesn't have is refused."""
    if unknown := [name for name in names if name not in template.get("Parameters", {})]:
        raise ValueError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")


def _check_references(template: dict[str, Any]) -> None:
    """A reference to a name the template doesn't have is refused before anything is made."""
    resources = template.get("Resources", {})
    known = {*template.get("Parameters", {}), *resources, *_PSEUDO}
    awaited = {name for one in resources.values() for name in _as_list(one.get("DependsOn", []))}
    conditions = {one["Condition"] for one in resources.values() if isinstance(one.get("Condition"), str)}
    if unknown := sorted(conditions - template.get("Conditions", {}).keys()):
        raise ValueError(
            f"Template format error: Unresolved condition dependency {unknown[0]} in the Resources "
            "block of the template"
        )
    for section in ("Resources", "Outputs"):
        unknown = sorted(
            cloudformation.template_references(template.get(section, {})) - known
            | (awaited - resources.keys() if section == "Resources" else set())
        )
        if unknown:
            raise ValueError(
                "Template format error: Unresolved resource dependencies "
                f"[{', '.join(unknown)}] in the {section} block of the template"
            )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
