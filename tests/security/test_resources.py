# SPDX-License-Identifier: Apache-2.0
"""Rules over the resources of every template: roles, buckets, logs, functions, APIs, keys."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REVIEWED = yaml.safe_load((Path(__file__).parent / "reviewed.yaml").read_text())


def resources(templates: dict[str, Any], *types: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each resource of these types: where it stands, itself, its properties."""
    for name, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] in types:
                yield f"{name}.{logical_id}", resource, resource.get("Properties", {})


def test_templates_are_what_cloudformation_takes(template_files: list[Path]) -> None:
    linted = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "--non-zero-exit-code", "warning", "--template"]
        + [str(path) for path in template_files],
        capture_output=True,
        text=True,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_roles_of_deployed_stacks_are_bounded(templates: dict[str, Any]) -> None:
    for where, _, properties in resources(templates, "AWS::IAM::Role"):
        if not where.startswith("main."):
            assert properties.get("PermissionsBoundary") == {"Ref": "PermissionsBoundaryArn"}, where
            assert "RoleName" not in properties, f"{where}: its name must start with the stack's"
            assert text(properties["Path"]).startswith("${RolePath}"), where
    assert templates["main"]["Resources"]["PermissionsBoundary"]["Properties"]["Path"] == {
        "Fn::Sub": "/${AWS::StackName}/"
    }


def text(value: Any) -> str:
    """A reference or a substitution as the text of a substitution."""
    return f"${{{value['Ref']}}}" if "Ref" in value else str(value["Fn::Sub"])


def test_apis_of_deployed_stacks_carry_the_tag_that_cloudformations_role_is_limited_to(
    templates: dict[str, Any],
) -> None:
    # A stage is tagged with the stack's name as it is made, and tagging asks for this one, too.
    for where, _, properties in resources(templates, "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"):
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
        wanted = None if where.startswith("main.") else {"Ref": "OrchestratorStack"}
        assert tags.get("mlops_orchestrator") == wanted, where


def test_partitions_and_their_hosts_are_not_written_out(templates: dict[str, Any]) -> None:
    """Everything that names a partition uses it; service principals are the same in all of them."""
    found = []
    for name, template in templates.items():
        for section in ("Conditions", "Resources", "Outputs"):
            for at, value in texts(template.get(section, {}), section):
                literal = re.search(r"arn:aws(-[a-z]+)*:|(?<!\w)[\w.-]*\.amazonaws\.com\b|console\.aws\.", value)
                if literal and not re.fullmatch(r"[a-z0-9.]+\.amazonaws\.com", value):
                    found.append(f"{name}.{at}: {value}")
    assert not found


def texts(node: Any, at: str) -> Iterator[tuple[str, str]]:
    """Every text below a node, with where it stands."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield from texts(child, f"{at}.{key}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from texts(child, f"{at}[{index}]")
    elif isinstance(node, str):
        yield at, node


def test_managed_policies_are_reviewed(templates: dict[str, Any]) -> None:
    used = {
        where for where, _, properties in resources(templates, "AWS::IAM::Role") if "ManagedPolicyArns" in properties
    }
    assert used == set(REVIEWED["managed_policies"])


def test_blueprints_make_no_identities_but_roles(templates: dict[str, Any]) -> None:
    made = {
        resource["Type"]
        for name, template in templates.items()
        if name != "main"
        for resource in template["Resources"].values()
        if resource["Type"].startswith("AWS::IAM::")
    }
    assert made <= {"AWS::IAM::Role", "AWS::IAM::Policy"}


def test_buckets_are_private_encrypted_versioned_and_kept(templates: dict[str, Any]) -> None:
    found = list(resources(templates, "AWS::S3::Bucket"))
    assert found
    for where, resource, properties in found:
        assert set(properties.get("PublicAccessBlockConfiguration", {}).values()) == {True}, where
        assert len(properties["PublicAccessBlockConfiguration"]) == 4, where
        assert properties.get("OwnershipControls") == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}, where
        assert properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration"), where
        assert properties.get("VersioningConfiguration") == {"Status": "Enabled"}, where
        assert "LoggingConfiguration" in properties or where == "main.AccessLogsBucket", where
        assert resource.get("DeletionPolicy") == "RetainExceptOnCreate", where
        assert resource.get("UpdateReplacePolicy") == "Retain", where


def test_buckets_are_reached_by_tls_only(templates: dict[str, Any]) -> None:
    guarded = {
        f"{where.split('.')[0]}.{properties['Bucket']['Ref']}"
        for where, _, properties in resources(templates, "AWS::S3::BucketPolicy")
        for statement in properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement["Action"] == "s3:*"
        and len(statement["Resource"]) == 2
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert guarded == {where for where, _, _ in resources(templates, "AWS::S3::Bucket")}


def test_logs_end(templates: dict[str, Any]) -> None:
    for where, _, properties in resources(templates, "AWS::Logs::LogGroup"):
        assert 1 <= properties.get("RetentionInDays", 0) <= 400, where


def test_functions_log_where_retention_is_set_and_run_a_current_python(templates: dict[str, Any]) -> None:
    for where, _, properties in resources(templates, "AWS::Lambda::Function"):
        name = where.split(".")[0]
        group = properties.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
        assert group, f"{where} logs where nobody set a retention"
        assert templates[name]["Resources"][group]["Type"] == "AWS::Logs::LogGroup", where
        assert properties.get("Runtime") == "python3.13", where


def test_functions_are_invoked_by_named_callers(templates: dict[str, Any]) -> None:
    for where, _, properties in resources(templates, "AWS::Lambda::Permission"):
        assert "SourceArn" in properties, where


def test_every_route_wants_a_signature(templates: dict[str, Any]) -> None:
    routes = 0
    for where, _, properties in resources(templates, "AWS::ApiGateway::RestApi"):
        for path, methods in properties.get("Body", {}).get("paths", {}).items():
            for method, operation in methods.items():
                routes += 1
                assert operation["security"] == [{"sigv4": []}], f"{where} {method} {path}"
        if "Body" in properties:
            scheme = properties["Body"]["securityDefinitions"]["sigv4"]
            assert scheme["x-amazon-apigateway-authtype"] == "awsSigv4", where
    for where, _, properties in resources(templates, "AWS::ApiGateway::Method"):
        routes += 1
        assert properties.get("AuthorizationType") == "AWS_IAM", where
    assert routes >= 3


def test_every_stage_throttles_and_logs_who_called(templates: dict[str, Any]) -> None:
    for where, _, properties in resources(templates, "AWS::ApiGateway::Stage"):
        (settings,) = properties.get("MethodSettings") or [{}]
        assert settings.get("HttpMethod") == "*", where
        assert settings.get("ResourcePath") == "/*", where
        assert settings.get("ThrottlingRateLimit", 0) > 0, where
        assert not settings.get("DataTraceEnabled"), f"{where}: bodies are not logged"
        written = properties.get("AccessLogSetting", {}).get("Format", "")
        assert "$context.identity.userArn" in written, where
        assert "$context.requestId" in written, where


def test_the_main_stack_owns_the_account_setting_and_keeps_it(templates: dict[str, Any]) -> None:
    ((where, resource, _),) = resources(templates, "AWS::ApiGateway::Account")
    assert where == "main.ApiGatewayAccount"
    assert resource.get("DeletionPolicy") == "Retain"


def test_the_topic_and_the_keys(templates: dict[str, Any]) -> None:
    for where, _, properties in resources(templates, "AWS::SNS::Topic"):
        key = properties.get("KmsMasterKeyId")
        assert key, f"{where} is not encrypted"
        assert key == {"Ref": "Key"} or not where.startswith("main."), where
    for where, _, properties in resources(templates, "AWS::KMS::Key"):
        assert properties.get("EnableKeyRotation") is True, where
    for where, _, properties in resources(templates, "AWS::ECR::Repository"):
        assert properties.get("ImageScanningConfiguration") == {"ScanOnPush": True}, where


def test_what_is_kept_has_no_name_that_a_new_installation_would_want(templates: dict[str, Any]) -> None:
    """A name that is given must hold the stack's id: the resource is still there when the stack is made again."""
    kept = ("Retain", "RetainExceptOnCreate")
    names = ("BucketName", "RepositoryName", "ModelPackageGroupName", "LogGroupName", "RoleName", "TopicName", "Name")
    for logical_id, resource in templates["main"]["Resources"].items():
        if resource.get("DeletionPolicy") in kept:
            for name in names:
                given = resource.get("Properties", {}).get(name)
                assert given is None or "AWS::StackId" in str(given), f"{logical_id}: {name}"


@pytest.mark.parametrize(
    ("rule", "resource_type"),
    [
        (test_roles_of_deployed_stacks_are_bounded, "AWS::IAM::Role"),
        (test_buckets_are_private_encrypted_versioned_and_kept, "AWS::S3::Bucket"),
        (test_buckets_are_reached_by_tls_only, "AWS::S3::Bucket"),
        (test_logs_end, "AWS::Logs::LogGroup"),
        (test_functions_log_where_retention_is_set_and_run_a_current_python, "AWS::Lambda::Function"),
        (test_functions_are_invoked_by_named_callers, "AWS::Lambda::Permission"),
        (test_every_route_wants_a_signature, "AWS::ApiGateway::Method"),
        (test_every_stage_throttles_and_logs_who_called, "AWS::ApiGateway::Stage"),
        (test_the_topic_and_the_keys, "AWS::SNS::Topic"),
        (test_the_topic_and_the_keys, "AWS::KMS::Key"),
        (test_the_topic_and_the_keys, "AWS::ECR::Repository"),
    ],
)
def test_a_dropped_in_resource_that_says_nothing_is_named(
    templates: dict[str, Any], rule: Callable[[dict[str, Any]], None], resource_type: str
) -> None:
    dropped = {**templates, "fresh": {"Resources": {"Bare": {"Type": resource_type}}}}
    with pytest.raises(AssertionError, match=r"fresh\.Bare"):
        rule(dropped)
