# SPDX-License-Identifier: Apache-2.0
"""What CloudFormation, and the roles it makes, may do: worked out from the compiled blueprints.

Two policies of the main template are made here, so that a new blueprint folder needs no edit of them:

- CloudFormation's role may do what the resource types in the blueprints need. What a type needs is said once and by
  hand, in deployment/permissions/ or in the folder of the blueprint that has it.
- The permissions boundary of every role in a deployed stack admits the actions that the blueprints' own roles are
  given and no others. CloudFormation can make no role without it, so it can't be used to make an administrator.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlops.deploy import template
from mlops.deploy.errors import UnsafePermission
from mlops.deploy.template import Template

OWN = "permissions.yaml"  # in a blueprint's folder: the resource types that only it has
BOUNDARY_LIMIT = 6_144  # characters of a managed policy, white space not counted
DEPLOYED_ROLES = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/mlops-pipeline-*"}
_INLINE_POLICIES = {"AWS::IAM::Policy", "AWS::IAM::RolePolicy"}


def resource_policy(templates: Mapping[str, Template], files: Iterable[Path]) -> Template:
    """What CloudFormation needs to create, update and delete the resources of these templates."""
    known: Template = template.merge((str(path), template.load(path)) for path in files)
    statements: list[Template] = []
    for resource_type, logical_ids in sorted(_resources(templates).items()):
        if resource_type not in known:
            raise UnsafePermission(
                f"{min(logical_ids.values())} has an {resource_type}: say in the blueprint's {OWN}, or for all "
                "blueprints in deployment/permissions/, what CloudFormation needs to create, update and delete one"
            )
        statements += [_for_each(statement, sorted(logical_ids)) for statement in known[resource_type]["Statement"]]
    return _policy(_join(statements))


def state_machines(templates: Mapping[str, Template], kind: str) -> list[Template]:
    """The ARNs that deployed state machines, or their executions, can have.

    CloudFormation names a state machine after its logical id; one that is given a name has its stack's.
    """
    prefix = f"arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:{kind}:"
    logical_ids = _resources(templates).get("AWS::StepFunctions::StateMachine", {})
    return [{"Fn::Sub": f"{prefix}{name}-*"} for name in ["mlops-pipeline", *sorted(logical_ids)]]


def boundary(templates: Mapping[str, Template]) -> Template:
    """The most that a role of a deployed stack may do."""
    actions: set[str] = set()
    services: set[str] = set()
    for name, content in templates.items():
        for logical_id, statement in _statements(content):
            where = f"{name}: {logical_id}"
            if "NotAction" in statement:
                raise UnsafePermission(f"{where} uses NotAction: list what it needs")
            for action in _listed(statement["Action"]):
                if "*" in action or "?" in action:
                    raise UnsafePermission(f"{where} asks for {action}: list the actions it needs")
                if action.lower().startswith("iam:") and action != "iam:PassRole":
                    raise UnsafePermission(f"{where} asks for {action}: a deployed role may not manage identities")
                actions.add(action)
            if "iam:PassRole" in _listed(statement["Action"]):
                services |= _passed_to(statement, where)
    statements: list[Template] = [
        {
            "Sid": "WhatBlueprintsUse",
            "Effect": "Allow",
            "Action": sorted(actions - {"iam:PassRole"}),
            "Resource": "*",
        }
    ]
    if services:
        statements.append(
            {
                "Sid": "LendDeployedRoles",
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": DEPLOYED_ROLES,
                "Condition": {"StringEquals": {"iam:PassedToService": sorted(services)}},
            }
        )
    policy = _policy(statements)
    length = len(json.dumps(policy, separators=(",", ":")))
    if length > BOUNDARY_LIMIT:
        raise UnsafePermission(f"The permissions boundary has {length} characters, IAM takes {BOUNDARY_LIMIT}")
    return policy


def _policy(statements: list[Template]) -> Template:
    return {"Version": "2012-10-17", "Statement": statements}


def _resources(templates: Mapping[str, Template]) -> dict[str, dict[str, str]]:
    """For each resource type the logical ids it has, and a template of each."""
    found: dict[str, dict[str, str]] = {}
    for name, content in templates.items():
        for logical_id, resource in content.get("Resources", {}).items():
            found.setdefault(resource["Type"], {})[logical_id] = name
    return found


def _for_each(statement: Template, logical_ids: list[str]) -> Template:
    """The statement with a resource that speaks of a logical id put once for each."""
    resources: list[Any] = []
    for resource in _listed(statement["Resource"]):
        text = json.dumps(resource)
        for name in logical_ids if "${LogicalId}" in text or "${logicalid}" in text else [""]:
            resources.append(json.loads(text.replace("${LogicalId}", name).replace("${logicalid}", name.lower())))
    return {**statement, "Resource": resources if len(resources) > 1 else resources[0]}


def _statements(content: Template) -> Iterable[tuple[str, Template]]:
    """Every Allow statement of every role in a template."""
    for logical_id, resource in content.get("Resources", {}).items():
        properties = resource.get("Properties", {})
        documents: list[Any] = []
        if resource["Type"] == "AWS::IAM::Role":
            if "ManagedPolicyArns" in properties:
                raise UnsafePermission(f"{logical_id} has ManagedPolicyArns: write out in Policies what it needs")
            documents = [part["PolicyDocument"] for part in _branches(properties.get("Policies", []))]
        elif resource["Type"] in _INLINE_POLICIES:
            documents = [properties["PolicyDocument"]]
        elif resource["Type"].startswith("AWS::IAM::"):
            raise UnsafePermission(f"{logical_id} is an {resource['Type']}: a blueprint may make roles only")
        for document in documents:
            for statement in _branches(document["Statement"]):
                if statement["Effect"] == "Allow":
                    yield logical_id, statement


def _branches(node: Any) -> Iterable[Template]:
    """The items of a list, whichever way its conditions turn out."""
    if isinstance(node, list):
        for item in node:
            yield from _branches(item)
    elif "Fn::If" in node:
        yield from _branches(node["Fn::If"][1:])
    elif node != {"Ref": "AWS::NoValue"}:
        yield node


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _passed_to(statement: Template, where: str) -> set[str]:
    for conditions in statement.get("Condition", {}).values():
        if "iam:PassedToService" in conditions:
            return set(_listed(conditions["iam:PassedToService"]))
    raise UnsafePermission(f"{where} asks for iam:PassRole: say with iam:PassedToService to which service")


def _join(statements: Iterable[Template]) -> list[Template]:
    """Statements that differ in their actions alone, made one."""
    joined: dict[str, Template] = {}
    for statement in statements:
        rest = {key: value for key, value in statement.items() if key not in ("Action", "Sid")}
        one = joined.setdefault(json.dumps(rest, sort_keys=True), {**statement, "Action": []})
        one["Action"] = sorted({*one["Action"], *_listed(statement["Action"])})
    return list(joined.values())
