# SPDX-License-Identifier: Apache-2.0
"""Statements that AWS reads otherwise than the laptop does: what a service sends with a call, and under which name.

Where AWS's documentation leaves that open, a statement must do in either case.
"""

from collections.abc import Iterator
from typing import Any

import pytest

Templates = dict[str, Any]


def statements(template: Any, logical_id: str) -> Iterator[dict[str, Any]]:
    """The statements of a policy, or of all the policies in a role; what depends on a condition, as if it held."""
    properties = template["Resources"][logical_id]["Properties"]
    documents = [one["PolicyDocument"] for one in properties.get("Policies", [])] or [properties["PolicyDocument"]]
    for document in documents:
        for one in document["Statement"]:
            yield one["Fn::If"][1] if "Fn::If" in one else one


def allowing(template: Any, logical_id: str, action: str) -> list[dict[str, Any]]:
    return [one for one in statements(template, logical_id) if one["Effect"] == "Allow" and action in one["Action"]]


def through(service: str) -> dict[str, str]:
    return {"Fn::Sub": f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}"}


def services(statement: dict[str, Any]) -> list[Any]:
    """The services that a statement about keys is limited to."""
    named = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService", [])
    return named if isinstance(named, list) else [named]


def test_the_boundary_lets_sagemaker_make_grants_whichever_way_it_asks(templates: Templates) -> None:
    lent = allowing(templates["main"], "PermissionsBoundary", "kms:CreateGrant")
    assert {"Bool": {"kms:GrantIsForAWSResource": "true"}} in [one["Condition"] for one in lent]
    assert any(through("sagemaker") in services(one) for one in lent)


def test_the_boundary_lets_roles_describe_keys_themselves(templates: Templates) -> None:
    """SageMaker looks at a key with the job's role, not through another service."""
    assert any("Condition" not in one for one in allowing(templates["main"], "PermissionsBoundary", "kms:DescribeKey"))


@pytest.mark.parametrize("action", ["kms:Decrypt", "kms:GenerateDataKey"])
def test_the_boundary_lets_state_machines_publish_to_the_encrypted_topic(templates: Templates, action: str) -> None:
    main = templates["main"]
    assert any(through("sns") in services(one) for one in allowing(main, "PermissionsBoundary", action))


def test_who_creates_a_training_job_may_lend_its_volumes_key_through_sagemaker(templates: Templates) -> None:
    lent = allowing(templates["model_training"], "JobPolicy", "kms:CreateGrant")
    assert [one for one in lent if one["Resource"] == {"Ref": "VolumeKmsKeyArn"}]
    for one in lent:
        assert services(one) == [through("sagemaker")], one["Sid"]


def test_registering_a_version_is_allowed_on_the_version_and_on_its_group(templates: Templates) -> None:
    """CreateModelPackage supports both types of resources; which of them is asked about is not documented."""
    registering = {name for name, template in templates.items() if "RegisterVersion" in str(template)}
    assert {"model_training", "model_tuning", "autopilot"} <= registering
    for name in registering:
        (allowed,) = allowing(templates[name], "JobPolicy", "sagemaker:CreateModelPackage")
        named = {one["Fn::Sub"].split(":")[-1] for one in allowed["Resource"]}
        group = "${ModelPackageGroupName}"
        assert named == {f"model-package/{group}/*", f"model-package-group/{group}"}, name


def test_cloudformation_may_make_a_model_of_another_accounts_package(templates: Templates) -> None:
    """AWS's policy for sharing a group allows CreateModel on its packages: the caller needs it there, too."""
    allowed = allowing(templates["main"], "CloudFormationSagemakerPolicy", "sagemaker:CreateModel")
    assert any(":*:model-package/*" in str(one["Resource"]) for one in allowed)


def test_api_gateway_may_call_functions_by_what_it_is_known_to_send(templates: Templates) -> None:
    """The source ARN names the account; an account beside it would have to be sent, too."""
    found = 0
    for name, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            given = resource.get("Properties", {})
            if resource["Type"] == "AWS::Lambda::Permission" and given["Principal"] == "apigateway.amazonaws.com":
                found += 1
                assert "${AWS::AccountId}" in str(given["SourceArn"]), f"{name}.{logical_id}"
                assert "SourceAccount" not in given, f"{name}.{logical_id}"
    assert found == 2


def test_the_inference_function_may_ask_the_endpoint_by_its_arn_and_by_its_name(templates: Templates) -> None:
    (asked,) = allowing(templates["realtime_inference"], "InferenceFunctionRole", "sagemaker:InvokeEndpoint")
    assert {"Ref": "MLOpsSagemakerEndpoint"} in asked["Resource"]
    assert any("endpoint/${MLOpsSagemakerEndpoint.EndpointName}" in str(one) for one in asked["Resource"])


ARTIFACTS = """
    s3:GetBucketAcl s3:GetBucketLocation s3:GetBucketVersioning
    s3:GetObject s3:GetObjectVersion s3:PutObject s3:PutObjectAcl
"""


@pytest.mark.parametrize("action", ARTIFACTS.split())
def test_delivery_pipelines_have_what_codepipelines_own_policy_has_for_artifacts(
    templates: Templates, action: str
) -> None:
    allowed = allowing(templates["main"], "PipelinePermissions", action)
    assert any("ArtifactBucket" in str(one["Resource"]) for one in allowed)


def test_the_logs_key_gives_every_kind_of_data_key(templates: Templates) -> None:
    """CloudWatch Logs' documentation asks for kms:GenerateDataKey*."""
    key = templates["main"]["Resources"]["Key"]["Properties"]["KeyPolicy"]
    (logs,) = [one for one in key["Statement"] if one["Sid"] == "AllowCloudWatchLogs"]
    assert {"kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"} <= set(logs["Action"])


def test_a_bucket_that_roles_are_denied_is_refused_when_it_is_given_for_data(templates: Templates) -> None:
    main = templates["main"]
    bucket = {"Fn::FindInMap": ["Distribution", "Source", "Bucket"]}
    regional = {"Fn::Sub": ["${Bucket}-${AWS::Region}", {"Bucket": bucket}]}
    assert main["Resources"]["InstallCheck"]["Properties"]["DistributionBuckets"] == [bucket, regional]
    (denied,) = [one for one in statements(main, "PermissionsBoundary") if one["Effect"] == "Deny"]
    for name in ("${Bucket}", "${Bucket}-${AWS::Region}"):
        assert {"Fn::Sub": [f"arn:${{AWS::Partition}}:s3:::{name}/*", {"Bucket": bucket}]} in denied["Resource"]
