# SPDX-License-Identifier: Apache-2.0
"""The managed policies of the main template's roles, each divided into as many as IAM's limit on one needs.

A role's statements grow with the blueprints. What is attached to a role counts for itself, where inline policies count
together, so whatever the build fills in stands in managed policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlops.deploy import limits
from mlops.deploy.template import Template

FULL = limits.MANAGED_LIMIT - 500  # characters
_TYPE = "AWS::IAM::ManagedPolicy"


def document(statements: list[Any]) -> Template:
    """A policy of these statements."""
    return {"Version": "2012-10-17", "Statement": statements}


def managed_policies(role: str, statements: Mapping[str, list[Template]]) -> dict[str, Template]:
    """The resources that give a role these statements, which are grouped by what they are for."""
    return {
        f"{role.removesuffix('Role')}{group}Policy": {
            "Type": _TYPE,
            "Properties": {"Roles": [{"Ref": role}], "PolicyDocument": document(given)},
        }
        for group, given in statements.items()
    }


def divided(whole: Template) -> Template:
    """The same template with each attached policy that is too large divided; what waits for it waits for its parts."""
    resources: dict[str, Template] = {}
    parts: dict[str, list[str]] = {}
    for logical_id, resource in whole["Resources"].items():
        if resource["Type"] != _TYPE or "Roles" not in resource["Properties"]:
            resources[logical_id] = resource
            continue
        for number, statements in enumerate(_packed(resource["Properties"]["PolicyDocument"]["Statement"], whole)):
            part = f"{logical_id}{number or ''}"
            properties = {**resource["Properties"], "PolicyDocument": document(statements)}
            resources[part] = {**resource, "Properties": properties}
            parts.setdefault(logical_id, []).append(part)
    for resource in resources.values():
        awaited = resource.get("DependsOn", [])
        if any(len(parts.get(name, ())) > 1 for name in _listed(awaited)):
            resource["DependsOn"] = [part for name in _listed(awaited) for part in parts.get(name, [name])]
    return {**whole, "Resources": resources}


def _packed(statements: Iterable[Any], whole: Template) -> Iterator[list[Any]]:
    """The statements in order, in lists that fit a policy each."""
    packed: list[Any] = []
    for statement in (part for one in statements for part in _halved(one, whole)):
        if packed and limits.size(document([*packed, statement]), whole) > FULL:
            yield packed
            packed = []
        packed.append(statement)
    yield packed


def _halved(statement: Any, whole: Template) -> Iterator[Any]:
    """A statement whose resources are too many for one policy, as several."""
    resources = _listed(statement["Resource"]) if "Resource" in statement else [""]  # one that depends on a condition
    if len(resources) == 1 or limits.size(document([statement]), whole) <= FULL:
        yield statement
        return
    half = len(resources) // 2
    for part in (resources[:half], resources[half:]):
        yield from _halved({**statement, "Resource": part}, whole)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
