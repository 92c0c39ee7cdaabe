# SPDX-License-Identifier: Apache-2.0
"""The permissions of the CloudFormation role and of the roles it creates, generated from the compiled blueprints.

Two policies of the main template are generated here, so that a new blueprint requires no change of them:

- The CloudFormation role has the permissions that the blueprints' resource types require. They are listed by hand, once
  per type, in deployment/permissions/ or in the folder of the only blueprint with that type.
- The permissions boundary of every role in a deployed stack allows only the actions of the blueprints' own roles, on
  the resources in deployment/permissions/boundary.yaml. CloudFormation can't create a role without the boundary, so it
  can't be used to create an administrator.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlops.defaults import PIPELINE_PREFIX
from mlops.deploy import template
from mlops.deploy.errors import UnsafePermission
from mlops.deploy.packing import document
from mlops.deploy.template import Template

BOUNDARY = "boundary.yaml"  # in deployment/permissions: the boundary's resources and conditions, by service
OWN = "permissions.yaml"  # in a blueprint's folder: permissions for resource types that only it has
DEPLOYED_ROLES = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AWS::StackName}/*"}
_INLINE_POLICIES = {"AWS::IAM::Policy", "AWS::IAM::RolePolicy"}


def resource_statements(templates: Mapping[str, Template], files: Iterable[Path]) -> dict[str, list[Template]]:
    """The statements that CloudFormation requires to create, update and delete these templates' resources, by service.

    Statements from blueprints' folders are in the group Blueprints.
    """
    known: dict[str, tuple[str, list[Template]]] = {}
    for path in files:
        group = "Blueprints" if path.name == OWN else path.stem.capitalize()
        for resource_type, needs in template.load(path).items():
            if resource_type in known:
                raise UnsafePermission(f"{path}: {resource_type} is also in another file")
            known[resource_type] = (group, needs["Statement"])
    found: dict[str, list[Template]] = {}
    for resource_type, logical_ids in sorted(_resources(templates).items()):
        if resource_type not in known:
            raise UnsafePermission(
                f"{min(logical_ids.values())} has an {resource_type}: list the permissions that CloudFormation "
                f"requires to create, update and delete it, in the blueprint's {OWN} or in deployment/permissions/"
            )
        group, statements = known[resource_type]
        found.setdefault(group, []).extend(_for_each(statement, sorted(logical_ids)) for statement in statements)
    return {group: _join(statements) for group, statements in sorted(found.items())}


def state_machines(templates: Mapping[str, Template], kind: str) -> list[Template]:
    """The ARNs that deployed state machines, or their executions, can have.

    CloudFormation generates the name from the logical id; an explicit name begins with the stack's name.
    """
    prefix = f"arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:{kind}:"
    logical_ids = _resources(templates).get("AWS::StepFunctions::StateMachine", {})
    return [{"Fn::Sub": f"{prefix}{name}-*"} for name in [PIPELINE_PREFIX, *sorted(logical_ids)]]


def boundary(templates: Mapping[str, Template], scopes: Mapping[str, list[Template]]) -> Template:
    """The permissions boundary of the roles in deployed stacks; `scopes` is the content of BOUNDARY."""
    actions: dict[str, set[str]] = {}
    services: set[str] = set()
    for name, content in templates.items():
        for logical_id, statement in _statements(content):
            where = f"{name}: {logical_id}"
            if "NotAction" in statement:
                raise UnsafePermission(f"{where} uses NotAction: list the actions instead")
            for action in _listed(statement["Action"]):
                if "*" in action or "?" in action:
                    raise UnsafePermission(f"{where} uses {action}: list the actions without wildcards")
                if action.lower().startswith("iam:") and action != "iam:PassRole":
                    raise UnsafePermission(f"{where} uses {action}: a deployed role must not manage identities")
                actions.setdefault(action.partition(":")[0], set()).add(action)
            if "iam:PassRole" in _listed(statement["Action"]):
                services |= _passed_to(statement, where)
    actions.pop("iam", None)
    listed = {service: given for service, given in actions.items() if service in scopes}
    listed["Others"] = {action for service, given in actions.items() if service not in scopes for action in given}
    statements = _gathered(
        one for service, given in sorted(listed.items()) for one in _scoped(service, given, scopes[service])
    )
    if services:
        statements.append(
            {
                "Sid": "PassDeployedRoles",
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": DEPLOYED_ROLES,
                "Condition": {"StringEquals": {"iam:PassedToService": sorted(services)}},
            }
        )
    return document([*statements, *scopes["Never"]])


def _scoped(service: str, actions: set[str], entries: list[Template]) -> Iterable[Template]:
    """The boundary's statements for a service."""
    special = {action for entry in entries for action in entry.get("Only", [])}
    for number, entry in enumerate(entries):
        others = actions - special | actions & set(entry.get("Also", []))
        admitted = sorted(actions & set(entry["Only"]) if "Only" in entry else others)
        if admitted:
            statement = {"Sid": f"{service.capitalize()}{number or ''}", "Effect": "Allow", "Action": admitted}
            yield statement | {key: entry[key] for key in ("Resource", "Condition") if key in entry}


def _gathered(statements: Iterable[Template]) -> list[Template]:
    """The statements with those that have no condition as two: on any resource, and on the resources of each service.

    An action applies to its own service's resources only, so this admits the same, in fewer characters.
    """
    without: dict[str, Template] = {}
    found = []
    for statement in statements:
        if "Condition" in statement:
            found.append(statement)
            continue
        sid = "AnyResource" if statement["Resource"] == "*" else "Resources"
        one = without.setdefault(sid, {"Sid": sid, "Effect": "Allow", "Action": [], "Resource": []})
        one["Action"] = [*one["Action"], *statement["Action"]]
        one["Resource"] = [
            *one["Resource"],
            *(each for each in _listed(statement["Resource"]) if each not in one["Resource"]),
        ]
    return [*without.values(), *found]


def _resources(templates: Mapping[str, Template]) -> dict[str, dict[str, str]]:
    """For each resource type the logical ids it has, and a template of each."""
    found: dict[str, dict[str, str]] = {}
    for name, content in templates.items():
        for logical_id, resource in content.get("Resources", {}).items():
            found.setdefault(resource["Type"], {})[logical_id] = name
    return found


def _for_each(statement: Template, logical_ids: list[str]) -> Template:
    """The statement with each resource that contains ${LogicalId} repeated for every logical id."""
    resources: list[Any] = []
    for resource in _listed(statement["Resource"]):
        text = json.dumps(resource)
        names = logical_ids if "${LogicalId}" in text or "${logicalid}" in text else [""]
        resources += [
            json.loads(text.replace("${LogicalId}", name).replace("${logicalid}", name.lower())) for name in names
        ]
    return {**statement, "Resource": resources if len(resources) > 1 else resources[0]}


def _statements(content: Template) -> Iterable[tuple[str, Template]]:
    """Every Allow statement of every role in a template."""
    for logical_id, resource in content.get("Resources", {}).items():
        properties = resource.get("Properties", {})
        documents: list[Any] = []
        if resource["Type"] == "AWS::IAM::Role":
            if "ManagedPolicyArns" in properties:
                raise UnsafePermission(f"{logical_id} has ManagedPolicyArns: list the permissions in Policies instead")
            documents = [part["PolicyDocument"] for part in branches(properties.get("Policies", []))]
        elif resource["Type"] in _INLINE_POLICIES:
            documents = [properties["PolicyDocument"]]
        elif resource["Type"].startswith("AWS::IAM::"):
            raise UnsafePermission(f"{logical_id} is an {resource['Type']}: a blueprint can create only roles")
        for policy in documents:
            for statement in branches(policy["Statement"]):
                if statement["Effect"] == "Allow":
                    yield logical_id, statement


def branches(node: Any) -> Iterable[Any]:
    """The items of a list, with both branches of conditions."""
    if isinstance(node, list):
        for item in node:
            yield from branches(item)
    elif isinstance(node, dict) and "Fn::If" in node:
        yield from branches(node["Fn::If"][1:])
    elif node != {"Ref": "AWS::NoValue"}:
        yield node


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _passed_to(statement: Template, where: str) -> set[str]:
    for conditions in statement.get("Condition", {}).values():
        if "iam:PassedToService" in conditions:
            return set(_listed(conditions["iam:PassedToService"]))
    raise UnsafePermission(f"{where} uses iam:PassRole: specify the service with iam:PassedToService")


def _join(statements: Iterable[Template]) -> list[Template]:
    """Merge statements that differ only in their actions."""
    joined: dict[str, Template] = {}
    for statement in statements:
        rest = {key: value for key, value in statement.items() if key not in ("Action", "Sid")}
        one = joined.setdefault(json.dumps(rest, sort_keys=True), {**statement, "Action": []})
        one["Action"] = sorted({*one["Action"], *_listed(statement["Action"])})
    return list(joined.values())
