# SPDX-License-Identifier: Apache-2.0
"""CloudFormation in the laptop account refuses what AWS refuses."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.codepipelines import approval, declaration, source, versioned_bucket, zipped
from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.stacks import deployed, outputs, settled
from tests.support.waiting import wait_for

HANDLER = (
    "import os, sys\n"
    "def handler(event, context):\n"
    "    found = []\n"
    "    for name in event['modules']:\n"
    "        try:\n"
    "            __import__(name)\n"
    "            found.append(name)\n"
    "        except ImportError:\n"
    "            pass\n"
    "    return {'found': found, 'environment': dict(os.environ)}\n"
)


def a_function(role: str, bucket: str, key: str, **properties: Any) -> dict[str, Any]:
    return {
        "Resources": {
            "F": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "code.handler",
                    "Role": role,
                    "Timeout": "20",
                    "Code": {"S3Bucket": bucket, "S3Key": key},
                    **properties,
                },
            }
        },
        "Outputs": {"F": {"Value": {"Ref": "F"}}},
    }


@pytest.fixture(scope="module")
def bucket(account: Account) -> str:
    name = versioned_bucket(account)
    account.client("s3").put_object(Bucket=name, Key="code.zip", Body=zipped(code__py=HANDLER))
    return name


@pytest.fixture(scope="module")
def lambda_role(account: Account) -> str:
    return trusted_role(account, "lambda.amazonaws.com")


def test_a_property_nobody_knows_fails_its_resource(account: Account) -> None:
    _, status, reasons = deployed(
        account, {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"Nonsense": 1}}}}
    )
    assert status == "ROLLBACK_COMPLETE"
    assert "extraneous key [Nonsense] is not permitted" in reasons


def test_a_reference_to_nothing_is_refused_before_anything_is_made(account: Account) -> None:
    with pytest.raises(ClientError, match=r"Unresolved resource dependencies \[Nobody\]"):
        deployed(
            account,
            {
                "Resources": {
                    "T": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::Sub": "${Nobody}-x"}}}
                }
            },
        )


def test_a_parameter_the_template_lacks_is_refused(account: Account) -> None:
    template = {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}
    with pytest.raises(ClientError, match=r"Parameters: \[Nope\] do not exist in the template"):
        deployed(account, template, Parameters=[{"ParameterKey": "Nope", "ParameterValue": "x"}])


def test_a_type_nobody_knows_is_refused(account: Account) -> None:
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        deployed(account, {"Resources": {"T": {"Type": "AWS::SageMaker::TrainingJob"}}})


def test_iam_resources_need_their_capability(account: Account) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
    with pytest.raises(ClientError, match="InsufficientCapabilities"):
        deployed(account, {"Resources": {"R": role}}, Capabilities=[])


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"DependsOn": "Nobody"}, r"Unresolved resource dependencies \[Nobody\]"),
        ({"Condition": "Never"}, "Unresolved condition dependency Never"),
    ],
)
def test_what_a_resource_names_must_exist(account: Account, resource: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        deployed(account, {"Resources": {"T": {"Type": "AWS::SNS::Topic", **resource}}})


def test_a_functions_role_must_trust_lambda(account: Account, bucket: str) -> None:
    role = trusted_role(account, "states.amazonaws.com")
    _, status, reasons = deployed(account, a_function(role, bucket, "code.zip"))
    assert status == "ROLLBACK_COMPLETE"
    assert "cannot be assumed by Lambda" in reasons


def test_a_functions_code_must_exist(account: Account, bucket: str, lambda_role: str) -> None:
    _, status, reasons = deployed(account, a_function(lambda_role, bucket, "other.zip"))
    assert status == "ROLLBACK_COMPLETE"
    assert "The specified key does not exist" in reasons


def test_a_function_sees_boto3_and_its_own_environment_and_no_more(
    account: Account, bucket: str, lambda_role: str
) -> None:
    name, status, reasons = deployed(
        account, a_function(lambda_role, bucket, "code.zip", Environment={"Variables": {"COLOUR": "blue"}})
    )
    assert status == "CREATE_COMPLETE", reasons
    answer = account.client("lambda").invoke(
        FunctionName=outputs(account, name)["F"],
        Payload=json.dumps(
            {"modules": ["boto3", "six", "numpy", "jsonschema", "chalice", "mlops", "ministack", "requests", "yaml"]}
        ),
    )
    seen = json.loads(answer["Payload"].read())
    assert seen["found"] == ["boto3", "six"]
    environment = seen["environment"]
    assert environment["COLOUR"] == "blue"
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert not {"HOME", "AUTH", "GATEWAY_PORT", "STATE_DIR", "VIRTUAL_ENV"} & environment.keys()


def test_a_full_bucket_stays_when_its_stack_is_deleted(account: Account) -> None:
    name, *_ = deployed(
        account, {"Resources": {"B": {"Type": "AWS::S3::Bucket"}}, "Outputs": {"B": {"Value": {"Ref": "B"}}}}
    )
    account.client("s3").put_object(Bucket=outputs(account, name)["B"], Key="k", Body=b"x")
    account.client("cloudformation").delete_stack(StackName=name)
    status, reasons = settled(account, name)
    assert status == "DELETE_FAILED"
    assert "not empty" in reasons


def test_a_rolled_back_stack_keeps_its_name(account: Account) -> None:
    broken = {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"Nonsense": 1}}}}
    name, status, _ = deployed(account, broken)
    assert status == "ROLLBACK_COMPLETE"
    with pytest.raises(ClientError, match="AlreadyExists"):
        account.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(broken))


def test_a_stack_policy_protects_a_resource(account: Account) -> None:
    def template(text: str) -> str:
        return json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": text}}}})

    policy = {
        "Statement": [
            {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
            {
                "Effect": "Deny",
                "Action": "Update:*",
                "Principal": "*",
                "Resource": "*",
                "Condition": {"StringEquals": {"ResourceType": ["AWS::SNS::Topic"]}},
            },
        ]
    }
    cloudformation, name = account.client("cloudformation"), unique("stack")
    cloudformation.create_stack(StackName=name, TemplateBody=template("one"), StackPolicyBody=json.dumps(policy))
    settled(account, name)
    cloudformation.update_stack(StackName=name, TemplateBody=template("two"))
    status, reasons = settled(account, name)
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "Action denied by stack policy" in reasons
    topics = {one["TopicArn"] for one in account.client("sns").list_topics()["Topics"]}
    cloudformation.update_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    )
    assert "[Update:Delete]" in settled(account, name)[1]
    assert {one["TopicArn"] for one in account.client("sns").list_topics()["Topics"]} >= topics


def test_a_stack_works_as_its_role(account: Account, bucket: str) -> None:
    """Our own types are authorized against the stack's role, and its caller must be allowed to pass it."""
    pipeline_role = trusted_role(account, "codepipeline.amazonaws.com")
    body = declaration("x", pipeline_role, bucket, source(bucket), approval())
    template = {
        "Resources": {
            "P": {
                "Type": "AWS::CodePipeline::Pipeline",
                "Properties": {
                    "RoleArn": pipeline_role,
                    "PipelineType": "V2",
                    "ArtifactStore": {"Type": "S3", "Location": bucket},
                    "Stages": _pascal(body["stages"]),
                },
            }
        }
    }
    may_nothing = trusted_role(account, "cloudformation.amazonaws.com", {"Action": "s3:GetObject", "Resource": "*"})
    _, status, reasons = deployed(account, template, RoleARN=may_nothing)
    assert status == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: codepipeline:CreatePipeline" in reasons
    no_pass = trusted_role(account, "cloudformation.amazonaws.com", {"Action": "codepipeline:*", "Resource": "*"})
    _, status, reasons = deployed(account, template, RoleARN=no_pass)
    assert "is not authorized to perform: iam:PassRole" in reasons
    enough = trusted_role(
        account,
        "cloudformation.amazonaws.com",
        {"Action": "codepipeline:*", "Resource": "*"},
        {
            "Action": "iam:PassRole",
            "Resource": pipeline_role,
            "Condition": {"StringEquals": {"iam:PassedToService": "codepipeline.amazonaws.com"}},
        },
    )
    _, status, reasons = deployed(account, template, RoleARN=enough)
    assert status == "CREATE_COMPLETE", reasons


@pytest.mark.parametrize("own", [True, False])
def test_a_role_for_names_of_one_kind_makes_and_deletes_those_only(account: Account, own: bool) -> None:
    """Creating is authorized for the name that the resource gets, as deleting is."""
    stack = unique("stack")
    group = f"{stack if own else 'other'}-*"
    maker = trusted_role(
        account,
        "cloudformation.amazonaws.com",
        {"Action": "logs:*", "Resource": f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"},
    )
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack,
        RoleARN=maker,
        TemplateBody=json.dumps({"Resources": {"Group": {"Type": "AWS::Logs::LogGroup"}}}),
    )
    ended, reasons = settled(account, stack)
    assert ended == ("CREATE_COMPLETE" if own else "ROLLBACK_COMPLETE"), reasons
    assert ("not authorized to perform: logs:CreateLogGroup" in reasons) != own
    stack_id = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack)

    def deleted() -> bool:
        found: str = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]
        return found == "DELETE_COMPLETE"

    wait_for(deleted)


TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "permitted"}}
TARGET_ROLE = "arn:aws:iam::123456789012:role/target"
RULE = {
    "Type": "AWS::Events::Rule",
    "Properties": {
        "Name": "permitted",
        "ScheduleExpression": "rate(1 day)",
        "Targets": [
            {"Id": "1", "Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:m", "RoleArn": TARGET_ROLE},
        ],
    },
}
RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/permitted"
PASS = {"Action": "iam:PassRole", "Resource": TARGET_ROLE}
TO_EVENTS = {"Condition": {"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}}}


@pytest.mark.parametrize(
    ("resource", "statements", "missing"),
    [
        (TOPIC, [{"Action": "sns:CreateTopic", "Resource": "arn:aws:sns:us-east-1:123456789012:permitted"}], ""),
        (TOPIC, [{"Action": "sns:CreateTopic", "Resource": "arn:aws:sns:*:*:other"}], "sns:CreateTopic"),
        (TOPIC, [{"Action": ["sns:Subscribe", "sns:GetTopicAttributes"], "Resource": "*"}], "sns:CreateTopic"),
        (
            {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/permitted", "TargetKeyId": "<key>"}},
            [{"Action": "kms:CreateAlias", "Resource": "arn:aws:kms:us-east-1:123456789012:*"}],
            "",
        ),
        (
            {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/permitted", "TargetKeyId": "<key>"}},
            [{"Action": "kms:CreateKey", "Resource": "*"}],
            "kms:CreateAlias",
        ),
        (
            {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
                    }
                },
            },
            [{"Action": "iam:AttachRolePolicy", "Resource": "*"}],
            "iam:CreatePolicy",
        ),
        (RULE, [{"Action": ["events:PutRule", "events:PutTargets"], "Resource": RULE_ARN}, {**PASS, **TO_EVENTS}], ""),
        (RULE, [{"Action": ["events:PutRule", "events:PutTargets"], "Resource": RULE_ARN}], "iam:PassRole"),
        (RULE, [{"Action": "events:PutRule", "Resource": RULE_ARN}, {**PASS, **TO_EVENTS}], "events:PutTargets"),
    ],
)
def test_every_type_needs_the_permissions_of_its_handler(
    account: Account, resource: dict[str, Any], statements: list[dict[str, Any]], missing: str
) -> None:
    """Types that are in no table of ours too: by the actions that their schemas list."""
    key = account.client("kms").create_key()["KeyMetadata"]["KeyId"]
    template = json.loads(json.dumps({"Resources": {"X": resource}}).replace("<key>", key))
    maker = trusted_role(
        account,
        "cloudformation.amazonaws.com",
        *statements,
        {
            "Action": ["sns:DeleteTopic", "kms:DeleteAlias", "events:DeleteRule", "events:RemoveTargets"],
            "Resource": "*",
        },
    )
    name, status, reasons = deployed(account, template, RoleARN=maker)
    assert status == ("ROLLBACK_COMPLETE" if missing else "CREATE_COMPLETE"), reasons
    assert f"is not authorized to perform: {missing}" in reasons or not missing
    account.client("cloudformation").delete_stack(StackName=name)
    wait_for(lambda: stack_is_gone(account, name))


def stack_is_gone(account: Account, name: str) -> bool:
    stacks = account.client("cloudformation").list_stacks()["StackSummaries"]
    (status,) = [one["StackStatus"] for one in stacks if one["StackName"] == name]
    assert status != "DELETE_FAILED"
    return bool(status == "DELETE_COMPLETE")


@pytest.mark.parametrize("passes", [True, False])
def test_a_role_in_any_types_properties_is_passed(account: Account, passes: bool) -> None:
    writer = trusted_role(account, "apigateway.amazonaws.com")
    condition = {"StringEquals": {"iam:PassedToService": "apigateway.amazonaws.com"}}
    maker = trusted_role(
        account,
        "cloudformation.amazonaws.com",
        {"Action": "apigateway:PATCH", "Resource": "arn:aws:apigateway:us-east-1::/account"},
        *([{"Action": "iam:PassRole", "Resource": writer, "Condition": condition}] if passes else []),
    )
    settings = {"Type": "AWS::ApiGateway::Account", "Properties": {"CloudWatchRoleArn": writer}}
    _, status, reasons = deployed(account, {"Resources": {"A": settings}}, RoleARN=maker)
    assert status == ("CREATE_COMPLETE" if passes else "ROLLBACK_COMPLETE"), reasons
    assert (f"is not authorized to perform: iam:PassRole on resource: {writer}" in reasons) != passes


def test_a_role_that_may_not_delete_leaves_the_resource(account: Account) -> None:
    maker = trusted_role(account, "cloudformation.amazonaws.com", {"Action": "sqs:CreateQueue", "Resource": "*"})
    name, status, reasons = deployed(account, {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}, RoleARN=maker)
    assert status == "CREATE_COMPLETE", reasons
    account.client("cloudformation").delete_stack(StackName=name)
    status, reasons = settled(account, name)
    assert status == "DELETE_FAILED"
    assert "is not authorized to perform: sqs:DeleteQueue" in reasons


def test_a_custom_resource_is_asked_for_with_the_stacks_role(account: Account) -> None:
    token = "arn:aws:lambda:us-east-1:123456789012:function:answerer"
    maker = trusted_role(account, "cloudformation.amazonaws.com", {"Action": "s3:*", "Resource": "*"})
    template = {"Resources": {"C": {"Type": "Custom::Thing", "Properties": {"ServiceToken": token}}}}
    _, status, reasons = deployed(account, template, RoleARN=maker)
    assert status == "ROLLBACK_COMPLETE"
    assert f"is not authorized to perform: lambda:InvokeFunction on resource: {token}" in reasons


def test_a_stack_role_must_trust_cloudformation(account: Account, lambda_role: str) -> None:
    with pytest.raises(ClientError, match="cannot be assumed"):
        deployed(account, {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}, RoleARN=lambda_role)


def test_a_published_version_is_a_resource(account: Account) -> None:
    role = trusted_role(account, "states.amazonaws.com")
    name, status, reasons = deployed(
        account,
        {
            "Resources": {
                "M": {
                    "Type": "AWS::StepFunctions::StateMachine",
                    "Properties": {
                        "RoleArn": role,
                        "Definition": {"StartAt": "D", "States": {"D": {"Type": "Succeed"}}},
                    },
                },
                "V": {
                    "Type": "AWS::StepFunctions::StateMachineVersion",
                    "Properties": {
                        "StateMachineArn": {"Ref": "M"},
                        "StateMachineRevisionId": {"Fn::GetAtt": ["M", "StateMachineRevisionId"]},
                    },
                },
            },
            "Outputs": {"V": {"Value": {"Ref": "V"}}},
        },
    )
    assert status == "CREATE_COMPLETE", reasons
    arn = outputs(account, name)["V"]
    assert arn.endswith(":1")
    assert account.client("stepfunctions").start_execution(stateMachineArn=arn)["executionArn"]


def _pascal(value: Any) -> Any:
    if isinstance(value, list):
        return [_pascal(item) for item in value]
    if isinstance(value, dict):
        return {
            key[0].upper() + key[1:]: item if key == "configuration" else _pascal(item) for key, item in value.items()
        }
    return value


def test_a_stacks_role_may_only_make_bounded_roles(account: Account) -> None:
    """The condition that keeps a CloudFormation role from making an administrator counts."""
    iam = account.client("iam")
    limits = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    boundary = iam.create_policy(PolicyName=unique("boundary"), PolicyDocument=json.dumps(limits))["Policy"]["Arn"]
    maker = trusted_role(
        account,
        "cloudformation.amazonaws.com",
        {
            "Action": ["iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy"],
            "Resource": "arn:aws:iam::123456789012:role/stack-*",
            "Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}},
        },
        {"Action": "iam:DeleteRole", "Resource": "*"},
    )
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    allowed = {
        "PolicyName": "p",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
        },
    }

    def template(**more: Any) -> dict[str, Any]:
        return {
            "Resources": {
                "R": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [allowed], **more},
                }
            },
            "Outputs": {"R": {"Value": {"Ref": "R"}}},
        }

    _, status, reasons = deployed(account, template(), RoleARN=maker)
    assert status == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: iam:CreateRole" in reasons
    name, status, reasons = deployed(account, template(PermissionsBoundary=boundary), RoleARN=maker)
    assert status == "CREATE_COMPLETE", reasons
    made = iam.get_role(RoleName=outputs(account, name)["R"])["Role"]
    assert made["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary


def test_a_state_machine_that_waits_for_jobs_needs_its_rule(account: Account) -> None:
    def template(role: str) -> dict[str, Any]:
        job = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "End": True}
        return {
            "Resources": {
                "M": {
                    "Type": "AWS::StepFunctions::StateMachine",
                    "Properties": {"RoleArn": role, "Definition": {"StartAt": "T", "States": {"T": job}}},
                }
            }
        }

    without = trusted_role(account, "states.amazonaws.com", {"Action": "sagemaker:*", "Resource": "*"})
    _, status, reasons = deployed(account, template(without))
    assert status == "ROLLBACK_COMPLETE"
    assert "is not authorized to create managed-rule" in reasons
    enough = trusted_role(
        account,
        "states.amazonaws.com",
        {
            "Action": ["events:PutRule", "events:PutTargets", "events:DescribeRule"],
            "Resource": "arn:aws:events:us-east-1:123456789012:rule/StepFunctionsGetEventsForSageMakerTrainingJobsRule",
        },
    )
    _, status, reasons = deployed(account, template(enough))
    assert status == "CREATE_COMPLETE", reasons


@pytest.mark.parametrize(("names", "said"), [("", "none"), ("a", "some"), ("a,b", "two")])
def test_a_condition_joins_the_items_of_a_list(account: Account, names: str, said: str) -> None:
    joined = {"Fn::Join": ["+", [{"Fn::Join": ["-", {"Ref": "Names"}]}, {"Ref": "End"}]]}
    template = {
        "Parameters": {
            "Names": {"Type": "CommaDelimitedList", "Default": ""},
            "End": {"Type": "String", "Default": "end"},
        },
        "Conditions": {
            "HasNames": {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "Names"}]}, ""]}]},
            "HasTwo": {"Fn::Equals": [joined, "a-b+end"]},
        },
        "Resources": {"Group": {"Type": "AWS::Logs::LogGroup"}},
        "Outputs": {
            "Said": {"Value": {"Fn::If": ["HasTwo", "two", {"Fn::If": ["HasNames", "some", "none"]}]}},
        },
    }
    given = [{"ParameterKey": "Names", "ParameterValue": names}]
    stack, status, reason = deployed(account, template, Parameters=given)
    assert status == "CREATE_COMPLETE", reason
    assert outputs(account, stack) == {"Said": said}
