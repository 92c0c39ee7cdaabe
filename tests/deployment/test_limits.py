# SPDX-License-Identifier: Apache-2.0
"""IAM's limits on policies: the build measures each policy at its longest, and refuses what IAM would."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlops.deploy import limits
from mlops.deploy.build import Distribution, Sources, build
from mlops.deploy.errors import PolicyTooLarge
from mlops.deploy.upload import MAIN_TEMPLATE
from mlops.source_tree import ROOT

from tests.support.custom_resources import unguarded

TYPES = [
    "AWS::ApiGateway::RestApi",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::SageMaker::Endpoint",
    "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model",
    "AWS::StepFunctions::StateMachine",
    "AWS::StepFunctions::StateMachineVersion",
]
SERVICES = ["athena", "dynamodb", "ecr", "glue", "kms", "lambda", "s3", "sagemaker", "sns", "sqs", "ssm", "states"]
MANIFEST = """
summary: A blueprint with much in it.
identity: /model_name
delivery: home
pipeline_types:
  {name}: {{stack_suffix: {name}, required: [model_name]}}
parameters:
  PermissionsBoundaryArn: {{setting: permissions_boundary_arn}}
  RolePath: {{setting: role_path}}
"""
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"model_name": {"$ref": "#/$defs/model_name"}},
}


def policy(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(size: int) -> dict[str, Any]:
    """A statement with a resource of `size` characters."""
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "r" * size}


def fat_blueprints(folder: Path, count: int, actions: int = 4, resources: int = 4) -> Path:
    """The blueprints, and `count` more with each resource type that CloudFormation's role knows, several times.

    Each brings actions that no other has.
    """
    blueprints = shutil.copytree(ROOT / "blueprints", folder / "blueprints")
    for number in range(count):
        name = f"fat{number:02}"
        role = {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "Path": {"Ref": "RolePath"},
                "PermissionsBoundary": {"Ref": "PermissionsBoundaryArn"},
                "AssumeRolePolicyDocument": policy(),
                "Policies": [
                    {
                        "PolicyName": "use",
                        "PolicyDocument": policy(
                            {
                                "Effect": "Allow",
                                "Action": [f"{SERVICES[number]}:DescribeSomething{one:03}" for one in range(actions)],
                                "Resource": {"Fn::Sub": "arn:${AWS::Partition}:s3:::bucket"},
                            }
                        ),
                    }
                ],
            },
        }
        many = {
            f"MLOpsFat{number:02}{kind.split('::')[-1]}{one}": {"Type": kind, "Properties": {}}
            for kind in TYPES
            for one in range(resources)
        }
        (blueprints / name).mkdir()
        (blueprints / name / "blueprint.yaml").write_text(MANIFEST.format(name=name))
        (blueprints / name / "request.schema.json").write_text(json.dumps(SCHEMA))
        (blueprints / name / "template.yaml").write_text(json.dumps({"Resources": {"Role": role, **many}}))
    return blueprints


def test_a_dozen_fat_blueprints_build(tmp_path: Path) -> None:
    """A dozen with those that ship: what they use grows with them, and must still fit."""
    count = 12 - len(list((ROOT / "blueprints").glob("*/blueprint.yaml")))
    blueprints = fat_blueprints(tmp_path, count)
    build(Distribution("bucket", "solution", "v0"), tmp_path / "out", Sources(blueprints=blueprints))
    main = json.loads((tmp_path / "out" / "global-s3-assets" / MAIN_TEMPLATE).read_text())
    for fat in ("fat00", f"fat{count - 1:02}"):
        assert (tmp_path / "out" / "regional-s3-assets" / "blueprints" / f"{fat}.yaml").is_file()
    assert f"MLOpsFat{count - 1:02}StateMachine3" in json.dumps(main)
    assert f"{SERVICES[count - 1]}:DescribeSomething003" in json.dumps(main)
    assert unguarded(main["Resources"]) == set()


def test_more_than_iam_takes_is_not_built(tmp_path: Path) -> None:
    """Far more than a dozen: the build says which policy, and how long it can get."""
    blueprints = fat_blueprints(tmp_path, 12, actions=30)
    with pytest.raises(Exception, match=r"PermissionsBoundary .*more than IAM's limit of 6144"):
        build(Distribution("bucket", "solution", "v0"), tmp_path / "out", Sources(blueprints=blueprints))
    assert not (tmp_path / "out").exists()


def test_a_blueprint_whose_own_role_is_too_large_is_not_built(tmp_path: Path) -> None:
    blueprints = shutil.copytree(ROOT / "blueprints", tmp_path / "blueprints")
    part = blueprints / "_parts" / "state_machine.yaml"
    fat = {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "PolicyName": "fat",
            "Roles": [{"Ref": "StateMachineRole"}],
            "PolicyDocument": policy(statement(9_900)),
        },
    }
    part.write_text(part.read_text().replace("Resources:\n", f"Resources:\n  Fat: {json.dumps(fat)}\n", 1))
    with pytest.raises(PolicyTooLarge, match=r"the inline policies of StateMachineRole can have \d+ .* limit of 10240"):
        build(Distribution("bucket", "solution", "v0"), tmp_path / "out", Sources(blueprints=blueprints))


def test_all_inline_policies_of_a_role_count_together() -> None:
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"Policies": [{"PolicyName": "own", "PolicyDocument": policy(statement(5_000))}]},
    }
    another = {"Roles": [{"Ref": "Role"}], "PolicyName": "another", "PolicyDocument": policy(statement(4_900))}
    template = {"Resources": {"Role": role, "Policy": {"Type": "AWS::IAM::Policy", "Properties": another}}}
    limits.check_policies("a template", template)
    another["PolicyDocument"] = policy(statement(5_200))
    with pytest.raises(PolicyTooLarge, match="Role"):
        limits.check_policies("a template", template)


def test_a_managed_policy_has_its_own_limit() -> None:
    managed = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": policy(statement(6_100))}}
    with pytest.raises(PolicyTooLarge, match="6144"):
        limits.check_policies("a template", {"Resources": {"Bounds": managed}})


def test_a_role_has_no_more_managed_policies_than_iam_attaches() -> None:
    def with_policies(count: int) -> dict[str, Any]:
        properties = {"Roles": [{"Ref": "Role"}], "PolicyDocument": policy(statement(10))}
        policies = {f"P{one}": {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties} for one in range(count)}
        role = {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/One"]}}
        return {"Resources": {"Role": role, **policies}}

    limits.check_policies("a template", with_policies(9))
    with pytest.raises(PolicyTooLarge, match="Role has 11 managed policies, more than IAM's limit of 10"):
        limits.check_policies("a template", with_policies(10))


@pytest.mark.parametrize(
    ("resource", "longest"),
    [
        ("as it is", 8),
        ({"Ref": "AWS::AccountId"}, 12),
        ({"Ref": "Short"}, 10),
        ({"Ref": "Choice"}, 6),
        ({"Ref": "Bucket"}, 63),
        ({"Fn::Sub": "${AWS::AccountId}/${Short}/${!Literal}"}, 12 + 1 + 10 + 1 + 10),
        ({"Fn::Sub": ["${Here}${Short}", {"Here": {"Ref": "Short"}}]}, 20),
        ({"Fn::If": ["Either", "a", {"Ref": "Short"}]}, 10),
        ({"Fn::If": ["Either", {"Ref": "AWS::NoValue"}, "four"]}, 4),
        ({"Fn::Join": ["--", ["a", {"Ref": "Short"}]]}, 13),
        ({"Fn::Select": [1, {"Fn::Split": ["/", "arn/name"]}]}, 4),
        ({"Fn::FindInMap": ["Names", "one", "name"]}, 5),
        ({"Fn::FindInMap": ["Names", {"Ref": "AWS::Region"}, "name"]}, 7),
    ],
)
def test_each_function_counts_as_long_as_it_can_get(resource: Any, longest: int) -> None:
    template: dict[str, Any] = {
        "Parameters": {
            "Short": {"Type": "String", "MaxLength": 10},
            "Choice": {"Type": "String", "AllowedValues": ["one", "twelve"]},
        },
        "Mappings": {"Names": {"one": {"name": "first"}, "two": {"name": "another"}}},
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
    }
    empty = {"Effect": "Allow", "Action": "a:B", "Resource": ""}
    sizes = []
    for value in ("", resource):
        document = policy({**empty, "Resource": value})
        managed = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
        resources = {**template["Resources"], "Policy": managed}
        sizes.append(limits.managed_sizes({**template, "Resources": resources})["Policy"])
    assert sizes[1] - sizes[0] == longest


@pytest.mark.parametrize(("kind", "function"), [("CommaDelimitedList", "Ref"), ("String", "Fn::Split")])
def test_a_list_counts_each_of_its_items(kind: str, function: str) -> None:
    value = {"Ref": "Names"} if function == "Ref" else {"Fn::Split": [",", {"Ref": "Names"}]}
    document = policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": value})
    parameter = {"Type": kind, **({"MaxLength": limits.LONGEST_LIST} if kind == "String" else {})}
    template = {
        "Parameters": {"Names": parameter},
        "Resources": {"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}},
    }
    names = limits.LONGEST_LIST // 64
    assert names * 65 <= limits.managed_sizes(template)["Policy"] <= (names + 1) * 67 + 100


def test_a_list_of_names_counts_each_of_them_with_what_is_put_around_it() -> None:
    """Arn prefixes are put around each name of a list in one parameter."""
    names = {"Fn::Split": [",", {"Ref": "Buckets"}]}
    joined = {"Fn::Join": [",arn:aws:s3:::", names]}
    document = policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::Split": [",", joined]}})
    template = {
        "Parameters": {"Buckets": {"Type": "String", "MaxLength": 640}},
        "Resources": {"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}},
    }
    assert limits.managed_sizes(template)["Policy"] > 640 + 9 * len("arn:aws:s3:::")
