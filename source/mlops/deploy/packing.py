# SPDX-License-Identifier: Apache-2.0
"""The managed policies of the main template's roles, split to comply with IAM's size limit.

A role's statements grow with the blueprints. IAM limits each managed policy separately, but inline policies in total,
so generated statements are in managed policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlops.deploy import limits
from mlops.deploy.template import Template

FULL = limits.MANAGED_LIMIT - 500  # characters
_TYPE = "AWS::IAM::ManagedPolicy"


def document(statements: list[Any]) -> Template:
    """A policy document with these statements."""
    return {"Version": "2012-10-17", "Statement": statements}


def managed_policies(role: str, statements: Mapping[str, list[Template]]) -> dict[str, Template]:
    """The policies that attach these statements, grouped by service, to a role."""
    return {
        f"{role.removesuffix('Role')}{group}Policy": {
            "Type": _TYPE,
            "Properties": {"Roles": [{"Ref": role}], "PolicyDocument": document(given)},
        }
        for group, given in statements.items()
    }


def divided(whole: Template) -> Template:
    """The template with each policy that is too large split, and DependsOn adjusted."""
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
    """The statements in order, in lists that each fit in a policy."""
    packed: list[Any] = []
    for statement in (part for one in statements for part in _halved(one, whole)):
        if packed and limits.size(document([*packed, statement]), whole) > FULL:
            yield packed
            packed = []
        packed.append(statement)
    yield packed


def _halved(statement: Any, whole: Template) -> Iterator[Any]:
    """A statement with too many resources for one policy, split into several."""
    resources = _listed(statement["Resource"]) if "Resource" in statement else [""]  # one that depends on a condition
    if len(resources) == 1 or limits.size(document([statement]), whole) <= FULL:
        yield statement
        return
    half = len(resources) // 2
    for part in (resources[:half], resources[half:]):
        yield from _halved({**statement, "Resource": part}, whole)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
