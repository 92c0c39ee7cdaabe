# SPDX-License-Identifier: Apache-2.0
"""Checks the policies of templates against IAM's limits at build time.

In: a template in plain CloudFormation. Out: the size of each policy, or PolicyTooLarge for the first over its limit.

IAM measures a policy without white space, after CloudFormation has inserted names and ARNs. Their lengths are unknown
before a stack is created, so the maximum lengths are used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.names import STACK_NAME

from mlops.deploy.errors import PolicyTooLarge
from mlops.deploy.template import Template

INLINE_LIMIT = 10_240  # characters of all inline policies of one role together
MANAGED_LIMIT = 6_144  # characters of one managed policy; a permissions boundary is one
ATTACHED_LIMIT = 10  # managed policies of one role, without the boundary; the quota can be increased

PSEUDO_PARAMETERS = {
    "AWS::AccountId": "1" * 12,
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-southeast-1",
    "AWS::StackName": "s" * STACK_NAME,
    "AWS::StackId": "i" * 180,
    "AWS::URLSuffix": "amazonaws.com.cn",
}
NAMES = {"AWS::S3::Bucket": 63, "AWS::KMS::Key": 36, "AWS::ApiGateway::RestApi": 10}
LONGEST_NAME = 64  # of names that CloudFormation generates, for example of roles and functions
LONGEST_ARN = 256
LONGEST_VALUE = 128  # of a parameter without MaxLength
LONGEST_LIST = 400  # of a list of bucket names, which the install check limits


def check_policies(name: str, template: Template) -> None:
    """Raise PolicyTooLarge if a policy, or the number of attached policies, can exceed IAM's limits."""
    for logical_id, found in inline_sizes(template).items():
        if found > INLINE_LIMIT:
            raise PolicyTooLarge(
                f"{name}: the inline policies of {logical_id} can have {found} characters in total, more than IAM's "
                f"limit of {INLINE_LIMIT}; remove statements, or move some to a managed policy"
            )
    for logical_id, found in managed_sizes(template).items():
        if found > MANAGED_LIMIT:
            raise PolicyTooLarge(
                f"{name}: the managed policy {logical_id} can have {found} characters, more than IAM's limit of "
                f"{MANAGED_LIMIT}; split it"
            )
    for logical_id, count in attached(template).items():
        if count > ATTACHED_LIMIT:
            raise PolicyTooLarge(
                f"{name}: {logical_id} has {count} managed policies, more than IAM's limit of {ATTACHED_LIMIT}; "
                "merge some"
            )


def size(document: Template, template: Template) -> int:
    """The maximum length of a policy in this template, in characters."""
    return _length(_Longest(template).of(document))


def attached(template: Template) -> dict[str, int]:
    """The number of managed policies of each role in a template."""
    counts: dict[str, int] = {}
    for logical_id, resource in template.get("Resources", {}).items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            _add(counts, logical_id, len(properties.get("ManagedPolicyArns", [])))
        elif resource["Type"] == "AWS::IAM::ManagedPolicy":
            for role in properties.get("Roles", []):
                _add(counts, role["Ref"], 1)
    return counts


def inline_sizes(template: Template) -> dict[str, int]:
    """The maximum total length of the inline policies of each role."""
    sizes: dict[str, int] = {}
    for logical_id, resource in template.get("Resources", {}).items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            policies = _Longest(template).of(properties.get("Policies", []))
            _add(sizes, logical_id, sum(_length(policy["PolicyDocument"]) for policy in policies))
        elif resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy"):
            roles = properties.get("Roles", [properties.get("RoleName")])
            length = size(properties["PolicyDocument"], template)
            for role in roles:
                _add(sizes, role["Ref"] if isinstance(role, dict) and "Ref" in role else str(role), length)
    return sizes


def managed_sizes(template: Template) -> dict[str, int]:
    """The maximum length of each managed policy."""
    return {
        logical_id: size(resource["Properties"]["PolicyDocument"], template)
        for logical_id, resource in template.get("Resources", {}).items()
        if resource["Type"] == "AWS::IAM::ManagedPolicy"
    }


def _add(sizes: dict[str, int], role: str, size: int) -> None:
    sizes[role] = sizes.get(role, 0) + size


def _length(document: Any) -> int:
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False))


class _Longest:
    """Resolves intrinsic functions to the longest value each can have."""

    def __init__(self, template: Template) -> None:
        self._template = template

    def of(self, node: Any, local: Mapping[str, str] | None = None) -> Any:
        if isinstance(node, list):
            return [self.of(one, local) for one in node if one != {"Ref": "AWS::NoValue"}]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(function, argument)] = node.items()
            if function == "Ref":
                return self._ref(argument)
            if function.startswith("Fn::"):
                return self._call(function, argument, local)
        return {key: self.of(value, local) for key, value in node.items() if value != {"Ref": "AWS::NoValue"}}

    def _call(self, function: str, argument: Any, local: Mapping[str, str] | None) -> Any:
        match function:
            case "Fn::GetAtt":
                return self._attribute(*(argument if isinstance(argument, list) else argument.split(".", 1)))
            case "Fn::Sub":
                return self._substituted(argument)
            case "Fn::If":
                return max((self.of(branch, local) for branch in argument[1:]), key=_length)
            case "Fn::Join":
                return argument[0].join(str(part) for part in self.of(argument[1], local))
            case "Fn::Split":
                return str(self.of(argument[1], local)).split(argument[0])
            case "Fn::Select":
                values = self.of(argument[1], local)
                return max(map(str, values), key=len) if values else ""
            case "Fn::FindInMap":
                return self._mapped(*argument[:3])
        raise PolicyTooLarge(f"A policy uses {function}, which has no known maximum length: use Fn::Sub or Fn::Join")

    def _ref(self, name: str) -> Any:
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        if name == "AWS::NoValue":
            return ""
        parameter = self._template.get("Parameters", {}).get(name)
        if parameter is None:
            kind = self._template["Resources"][name]["Type"]
            by_arn = kind in ("AWS::SNS::Topic", "AWS::IAM::ManagedPolicy", "AWS::StepFunctions::StateMachine")
            return "r" * (LONGEST_ARN if by_arn else NAMES.get(kind, LONGEST_NAME))
        if "AllowedValues" in parameter:
            return max(map(str, parameter["AllowedValues"]), key=len)
        if parameter["Type"] == "CommaDelimitedList":
            return _listed(LONGEST_LIST).split(",")
        length = int(parameter.get("MaxLength", LONGEST_VALUE))
        # The items of a list in one string, as in !Split [",", !Ref Names], are bucket names.
        return _listed(length) if length > LONGEST_VALUE else "p" * length

    def _attribute(self, logical_id: str, attribute: str) -> str:
        if not attribute.lower().endswith("arn"):
            return "a" * LONGEST_NAME
        kind = self._template["Resources"].get(logical_id, {}).get("Type", "")
        prefix = len("arn:aws-us-gov:s3:::")
        return "a" * (prefix + NAMES[kind] if kind == "AWS::S3::Bucket" else LONGEST_ARN)

    def _substituted(self, argument: Any) -> str:
        text, values = argument if isinstance(argument, list) else (argument, {})
        local = {name: str(self.of(value)) for name, value in values.items()}
        parts = text.split("${")
        whole: str = parts[0]
        for part in parts[1:]:
            name, _, rest = part.partition("}")
            if name.startswith("!"):
                whole += "${" + name[1:] + "}" + rest
            else:
                whole += self._named(name.strip(), local) + rest
        return whole

    def _named(self, name: str, local: Mapping[str, str]) -> str:
        if name in local:
            return local[name]
        return self._attribute(*name.split(".", 1)) if "." in name else str(self._ref(name))

    def _mapped(self, name: str, first: Any, second: Any) -> Any:
        """The value, or the longest value if the keys are known only at install time."""
        rows = self._template["Mappings"][name]
        rows = [rows[first]] if isinstance(first, str) else list(rows.values())
        values = [value for row in rows for key, value in row.items() if not isinstance(second, str) or key == second]
        return max(values, key=_length)


def _listed(length: int) -> str:
    """Names of 63 characters with commas between them, `length` characters in all."""
    return ",".join("p" * 63 for _ in range(length // 64 + 1))[:length].rstrip(",")
