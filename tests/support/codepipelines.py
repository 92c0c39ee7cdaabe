# SPDX-License-Identifier: Apache-2.0
"""Pipelines of CodePipeline: their declarations, the zips that they deploy, and their executions."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

ENDED = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")
ACCOUNT_ID = "123456789012"
MODEL_OF_NOTHING = {
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    "Parameters": {"Colour": {"Type": "String", "Default": "red"}},
    "Outputs": {"Colour": {"Value": {"Ref": "Colour"}}, "TopicArn": {"Value": {"Ref": "Topic"}}},
}


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


@dataclass
class Pipelines:
    """Pipelines of an account, with a bucket and roles for them."""

    account: Account
    bucket: str
    pipeline_role: str
    stack_role: str

    @classmethod
    def of(cls, account: Account) -> Pipelines:
        roles = [trusted_role(account, f"{service}.amazonaws.com") for service in ("codepipeline", "cloudformation")]
        return cls(account, versioned_bucket(account), *roles)

    @property
    def codepipeline(self) -> Any:
        return self.account.client("codepipeline")

    def upload(self, template: dict[str, Any] = MODEL_OF_NOTHING, key: str = "template.zip", **settings: Any) -> str:
        body = zipped(template__json=template, settings__json=settings)
        version: str = self.account.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)["VersionId"]
        return version

    def create(self, *stages: dict[str, Any], **more: Any) -> str:
        name = unique("pipeline")
        self.codepipeline.create_pipeline(pipeline=declaration(name, self.pipeline_role, self.bucket, *stages, **more))
        return name

    def executions(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.codepipeline.list_pipeline_executions(pipelineName=name)[
            "pipelineExecutionSummaries"
        ]
        return found

    def ended(self, name: str, execution_id: str | None = None) -> dict[str, Any]:
        """The execution (default: the latest) once it has ended."""
        execution_id = execution_id or self.executions(name)[0]["pipelineExecutionId"]

        def ended() -> dict[str, Any] | None:
            execution: dict[str, Any] = self.codepipeline.get_pipeline_execution(
                pipelineName=name, pipelineExecutionId=execution_id
            )["pipelineExecution"]
            return execution if execution["status"] in ENDED else None

        answer: dict[str, Any] = wait_for(ended)
        return answer

    def answer(self, name: str, status: str = "Approved", summary: str = "") -> None:
        """Answer the action of `approval()` once it asks."""

        def token() -> Any:
            latest = self.actions(name)["Ask"].get("latestExecution", {})
            return latest.get("token") if latest.get("status") == "InProgress" else None

        self.codepipeline.put_approval_result(
            pipelineName=name,
            stageName="Approve",
            actionName="Ask",
            token=wait_for(token),
            result={"summary": summary, "status": status},
        )

    def actions(self, name: str) -> dict[str, Any]:
        state = self.codepipeline.get_pipeline_state(name=name)
        return {action["actionName"]: action for stage in state["stageStates"] for action in stage["actionStates"]}

    def stages(self, name: str) -> dict[str, Any]:
        state = self.codepipeline.get_pipeline_state(name=name)
        return {stage["stageName"]: stage.get("latestExecution", {}).get("status") for stage in state["stageStates"]}

    def error(self, name: str, action: str) -> str:
        message: str = self.actions(name)[action]["latestExecution"]["errorDetails"]["message"]
        return message
