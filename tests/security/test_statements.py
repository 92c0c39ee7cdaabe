# SPDX-License-Identifier: Apache-2.0
"""Rules over every IAM statement of every template. What is excepted stands in reviewed.yaml, with its reason."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore import xform_name
from chalicelib.job_kinds import JOB_KINDS
from mlops.deploy.template import load
from mlops.templates.folder import read_parts

ROOT = Path(__file__).parents[2]
REVIEWED = yaml.safe_load((Path(__file__).parent / "reviewed.yaml").read_text())
CHANGES_ROLES = {
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
}
MAKES_ADMINISTRATORS = {
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:CreateUser",
    "iam:DeleteRolePermissionsBoundary",
    "iam:PutGroupPolicy",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
}


@dataclass(frozen=True)
class Statement:
    """One statement, and where it stands: <template>.<logical id>.<Sid>, or _parts.<Sid> where it is a part's."""

    template: str
    logical_id: str
    content: dict[str, Any]
    trust: bool = False

    @property
    def where(self) -> str:
        sid = self.content.get("Sid", "")
        return f"_parts.{sid}" if SHARED.get(sid) == self.content else f"{self.template}.{self.logical_id}.{sid}"

    @property
    def allows(self) -> bool:
        return bool(self.content["Effect"] == "Allow")

    @property
    def actions(self) -> list[str]:
        return listed(self.content.get("Action", []))

    def condition(self, key: str) -> list[Any]:
        """What any operator compares a condition key with."""
        operators = self.content.get("Condition", {}).values()
        return [
            value
            for operator in operators
            for name, given in operator.items()
            if name == key
            for value in listed(given)
        ]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def branches(node: Any) -> Iterator[dict[str, Any]]:
    """The items of a list, whichever way its conditions turn out."""
    if isinstance(node, list):
        for item in node:
            yield from branches(item)
    elif "Fn::If" in node:
        yield from branches(node["Fn::If"][1:])
    elif node != {"Ref": "AWS::NoValue"}:
        yield node


SHARED = {
    statement["Sid"]: statement
    for part in read_parts(ROOT / "blueprints").pieces.values()
    for statement in (branches(part) if isinstance(part, list) else [part])
    if "Sid" in statement
}


def documents(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy document under a node, wherever a resource type keeps it, and under which key."""
    if isinstance(node, dict):
        for key, child in node.items():
            if isinstance(child, dict) and "Statement" in child:
                yield key, child
            else:
                yield from documents(child)
    elif isinstance(node, list):
        for child in node:
            yield from documents(child)


def statements(templates: dict[str, Any]) -> list[Statement]:
    return [
        Statement(name, logical_id, statement, key == "AssumeRolePolicyDocument")
        for name, template in templates.items()
        for logical_id, resource in template["Resources"].items()
        for key, document in documents(resource.get("Properties", {}))
        for statement in branches(document["Statement"])
    ]


# The rules: each gives what is wrong with a statement, or nothing.


def lists_its_actions(statement: Statement) -> str | None:
    if "NotAction" in statement.content or "NotResource" in statement.content or "NotPrincipal" in statement.content:
        return "says what it does not mean instead of what it means"
    if statement.allows and (wild := [action for action in statement.actions if "*" in action or "?" in action]):
        return f"allows {wild}"
    return None


def names_its_resources(statement: Statement) -> str | None:
    if statement.allows and "*" in listed(statement.content.get("Resource", [])):
        return None if statement.where in REVIEWED["any_resource"] else 'has Resource "*" and is not in reviewed.yaml'
    return None


def passes_roles_to_named_services(statement: Statement) -> str | None:
    if not statement.allows or "iam:PassRole" not in statement.actions:
        return None
    if statement.actions != ["iam:PassRole"]:
        return "mixes iam:PassRole with other actions"
    if "*" in listed(statement.content["Resource"]):
        return "passes any role"
    services = statement.condition("iam:PassedToService")
    return None if services and "*" not in "".join(services) else "passes roles without iam:PassedToService"


def changes_bounded_roles_only(statement: Statement) -> str | None:
    changed = CHANGES_ROLES & set(statement.actions)
    if statement.allows and changed and not statement.condition("iam:PermissionsBoundary"):
        return f"allows {sorted(changed)} without the permissions boundary"
    return None


def makes_no_administrator(statement: Statement) -> str | None:
    made = MAKES_ADMINISTRATORS & set(statement.actions)
    return f"allows {sorted(made)}" if statement.allows and made else None


def admits_services_for_this_account(statement: Statement) -> str | None:
    principal = statement.content.get("Principal")
    if not statement.allows or not isinstance(principal, dict) or "Service" not in principal:
        return None
    # A key is told the source by what is encrypted, where a service doesn't tell it by account.
    sources = ["aws:SourceAccount", "aws:SourceArn"]
    sources += ["kms:EncryptionContext:aws:logs:arn", "kms:EncryptionContext:aws:sns:topicArn"]
    if any(statement.condition(source) for source in sources) or statement.where in REVIEWED["any_source"]:
        return None
    for service in listed(principal["Service"]):
        if not statement.trust or service not in REVIEWED["no_source_account"]:
            return f"admits {service} for any account"
    return None


def reads_this_accounts_buckets_only(statement: Statement) -> str | None:
    of_s3 = any(action.startswith("s3:") for action in statement.actions)
    if not statement.allows or not of_s3 or "Principal" in statement.content:
        return None
    ours = statement.condition("aws:ResourceAccount") == [{"Ref": "AWS::AccountId"}]
    return None if ours else "reaches buckets of other accounts"


def admits_somebody(statement: Statement) -> str | None:
    principal = statement.content.get("Principal")
    anybody = principal == "*" or (isinstance(principal, dict) and "*" in listed(principal.get("AWS", [])))
    if (
        statement.allows
        and anybody
        and not (statement.where in REVIEWED["any_principal"] and statement.content.get("Condition"))
    ):
        return "admits anybody"
    return None


RULES: list[Callable[[Statement], str | None]] = [
    lists_its_actions,
    names_its_resources,
    passes_roles_to_named_services,
    changes_bounded_roles_only,
    makes_no_administrator,
    admits_services_for_this_account,
    admits_somebody,
    reads_this_accounts_buckets_only,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_statement_keeps_the_rule(rule: Callable[[Statement], str | None], templates: dict[str, Any]) -> None:
    problems = [f"{one.where} {problem}" for one in statements(templates) if (problem := rule(one))]
    assert not problems


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        (lists_its_actions, {"Action": "s3:*", "Resource": "arn:aws:s3:::b"}),
        (lists_its_actions, {"NotAction": "iam:CreateRole", "Resource": "arn:aws:s3:::b"}),
        (names_its_resources, {"Action": "s3:GetObject", "Resource": ["*"]}),
        (passes_roles_to_named_services, {"Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/a"}),
        (
            passes_roles_to_named_services,
            {"Action": ["iam:PassRole", "iam:GetRole"], "Resource": "arn:aws:iam::1:role/a"},
        ),
        (changes_bounded_roles_only, {"Action": "iam:PutRolePolicy", "Resource": "arn:aws:iam::1:role/a"}),
        (makes_no_administrator, {"Action": "iam:DeleteRolePermissionsBoundary", "Resource": "arn:aws:iam::1:role/a"}),
        (
            admits_services_for_this_account,
            {"Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}},
        ),
        (admits_somebody, {"Action": "sns:Publish", "Principal": {"AWS": "*"}}),
        (reads_this_accounts_buckets_only, {"Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::b/*"}),
    ],
)
def test_the_rules_find_what_is_wrong(rule: Callable[[Statement], str | None], bad: dict[str, Any]) -> None:
    assert rule(Statement("bad", "Role", {"Effect": "Allow", **bad}, trust="Principal" in bad))


def test_what_was_reviewed_is_still_there(templates: dict[str, Any]) -> None:
    present = statements(templates)
    everywhere = {one.where for one in present if "*" in listed(one.content.get("Resource", []))}
    services = {
        service
        for one in present
        if one.trust and isinstance(one.content["Principal"], dict)
        for service in listed(one.content["Principal"].get("Service", []))
    }
    assert not set(REVIEWED["any_resource"]) - everywhere
    assert not {*REVIEWED["any_principal"], *REVIEWED["any_source"]} - {one.where for one in present}
    assert not set(REVIEWED["no_source_account"]) - services


def test_the_boundary_admits_what_blueprints_use_and_no_more(templates: dict[str, Any]) -> None:
    deployed = {name: template for name, template in templates.items() if name != "main"}
    used = {action for one in statements(deployed) if one.allows and not one.trust for action in one.actions}
    bounds = templates["main"]["Resources"]["PermissionsBoundary"]["Properties"]["PolicyDocument"]
    admitted = [one for one in branches(bounds["Statement"]) if one["Effect"] == "Allow"]
    assert {action for statement in admitted for action in listed(statement["Action"])} == used
    assert len(json.dumps(bounds, separators=(",", ":"))) <= 6_144


def test_cloudformation_may_read_and_delete_whatever_it_makes(blueprints: Path) -> None:
    """The registry says what CloudFormation calls for a resource of a type."""
    schemas = resources.files("cfnlint").joinpath("data", "schemas")
    names = json.loads(schemas.joinpath("providers", "us-east-1.json").read_text())
    for path in [*(ROOT / "deployment" / "permissions").glob("*.yaml"), *blueprints.glob("*/permissions.yaml")]:
        if path.name == "boundary.yaml":
            continue
        for resource_type, permissions in load(path).items():
            schema = json.loads(schemas.joinpath("resources", f"{names[resource_type]}.json").read_text())
            calls = {name: set(one.get("permissions", [])) for name, one in schema.get("handlers", {}).items()}
            granted = {action for one in permissions["Statement"] for action in listed(one["Action"])}
            # A function's environment has no key of ours.
            assert calls.get("read", set()) - {"kms:Decrypt"} <= granted, resource_type
            assert calls.get("delete", set()) - set(REVIEWED["not_called_to_delete"]) <= granted, resource_type


def test_inline_policies_fit(templates: dict[str, Any]) -> None:
    for logical_id, resource in templates["main"]["Resources"].items():
        if resource["Type"] == "AWS::IAM::Policy":
            assert len(json.dumps(resource["Properties"]["PolicyDocument"], separators=(",", ":"))) <= 10_240, (
                logical_id
            )


def test_the_orchestrator_may_do_what_it_does_and_no_more(templates: dict[str, Any]) -> None:
    """Each action is that of a call in chalicelib/aws, or is needed beside one."""
    calls = "".join(path.read_text() for path in (ROOT / "orchestrator" / "chalicelib" / "aws").glob("*.py"))
    calls += " ".join(xform_name(operation) for kind in JOB_KINDS.values() for operation in (kind.describe, kind.stop))
    beside = {
        "cloudformation:TagResource",
        "iam:PassRole",
        "s3:ListBucket",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    other_names = {
        "s3:GetObject": "head_object",
        "s3:DeleteObjectVersion": "delete_object",
        "apigateway:GET": "get_rest_api",
    }
    granted = {
        action
        for one in statements({"main": templates["main"]})
        if one.logical_id.startswith("OrchestratorPermissions")
        for action in one.actions
    }
    for action in granted - beside:
        name = action.split(":")[1]
        snake = xform_name(name)
        assert other_names.get(action, snake) in calls, f"{action} is granted, but nothing calls it"
