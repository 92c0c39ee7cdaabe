# SPDX-License-Identifier: Apache-2.0
"""What CodePipeline tests need around a pipeline: roles, buckets, zipped templates."""

import io
import json
import uuid
import zipfile
from typing import Any

from tests.local.laptop import Account

ACCOUNT_ID = "123456789012"
MODEL_OF_NOTHING = {
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    "Parameters": {"Colour": {"Type": "String", "Default": "red"}},
    "Outputs": {"Colour": {"Value": {"Ref": "Colour"}}, "TopicArn": {"Value": {"Ref": "Topic"}}},
}


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def trusted_role(account: Account, service: str, *statements: dict[str, Any]) -> str:
    """A role that `service` may assume, with these statements allowed (default: everything)."""
    iam, name = account.client("iam"), unique("role")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allowed = [{"Effect": "Allow", **statement} for statement in statements] or [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}
    ]
    iam.put_role_policy(
        RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allowed})
    )
    return arn


def versioned_bucket(account: Account) -> str:
    s3, name = account.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def zipped(**files: Any) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, value in files.items():
            archive.writestr(name.replace("__", "."), value if isinstance(value, str) else json.dumps(value))
    return content.getvalue()


def source(bucket: str, key: str = "template.zip", **more: str) -> dict[str, Any]:
    return {
        "name": "Source",
        "actions": [
            {
                "name": "Read",
                "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
                "configuration": {"S3Bucket": bucket, "S3ObjectKey": key, "PollForSourceChanges": "false", **more},
                "outputArtifacts": [{"name": "Bundle"}],
                "namespace": "SourceVariables",
            }
        ],
    }


def deploy(stack: str, role: str, mode: str = "CREATE_UPDATE", **more: str) -> dict[str, Any]:
    return {
        "name": "Deploy",
        "actions": [
            {
                "name": "Stack",
                "namespace": "DeployVariables",
                "inputArtifacts": [{"name": "Bundle"}],
                "actionTypeId": {"category": "Deploy", "owner": "AWS", "provider": "CloudFormation", "version": "1"},
                "configuration": {
                    "ActionMode": mode,
                    "StackName": stack,
                    "TemplatePath": "Bundle::template.json",
                    "RoleArn": role,
                    **more,
                },
            }
        ],
    }


def approval(name: str = "Approve", **configuration: str) -> dict[str, Any]:
    return {
        "name": name,
        "actions": [
            {
                "name": "Ask",
                "configuration": configuration,
                "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"},
            }
        ],
    }


def invoke(machine: str, **configuration: str) -> dict[str, Any]:
    return {
        "name": "Run",
        "actions": [
            {
                "name": "Jobs",
                "configuration": {"StateMachineArn": machine, **configuration},
                "namespace": "RunVariables",
                "actionTypeId": {"category": "Invoke", "owner": "AWS", "provider": "StepFunctions", "version": "1"},
            }
        ],
    }


def declaration(name: str, role: str, bucket: str, *stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "roleArn": role,
        "pipelineType": "V2",
        "stages": list(stages),
        "artifactStore": {"type": "S3", "location": bucket},
        **more,
    }
