# SPDX-License-Identifier: Apache-2.0
"""AWS, called. The only module that imports boto3; what leaves it is ours, never boto3's.

boto3 is imported with the first call, so that a cold start is ready before it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar

from chalicelib.cloud import AlreadyExists, Document, Moved, PipelineGone
from chalicelib.errors import Unavailable
from chalicelib.found import Bundle, Execution, Job, Stack
from chalicelib.plan import Plan
from chalicelib.settings import Settings

# The kinds of job that SageMaker has, and what describes each.
JOBS: Mapping[str, str] = {
    "TrainingJob": "describe_training_job",
    "HyperParameterTuningJob": "describe_hyper_parameter_tuning_job",
    "TransformJob": "describe_transform_job",
    "ProcessingJob": "describe_processing_job",
    "AutoMLJob": "describe_auto_ml_job_v2",
}

DIGEST = "request-digest"  # the bundle's metadata key
SETTLED_AFTER = 60  # seconds: twice the function's longest run
RETRY_AFTER = 5

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def _translated(call: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """AWS's failures as ours: whatever AWS refuses or cannot do now is Unavailable, with AWS's words as detail."""

    @functools.wraps(call)
    def translated(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call(*args, **kwargs)
        except ClientError as error:
            code = _code(error)
            words = (
                "AWS refused a call that the orchestrator may not make"
                if "AccessDenied" in code
                else "AWS could not take the request now"
            )
            raise Unavailable(
                f"{words}; nothing is lost by sending it again.", retry_after=RETRY_AFTER, detail=str(error)
            ) from error
        except BotoCoreError as error:
            raise Unavailable(
                "AWS could not be reached; nothing is lost by sending the request again.",
                retry_after=RETRY_AFTER,
                detail=str(error),
            ) from error

    return translated


class Aws:
    """The calls, made with the credentials and the endpoint of the environment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @functools.cache  # noqa: B019 (lives as long as its process)
    def _client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        # All within the 29 seconds that API Gateway waits.
        config = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=5)
        return boto3.client(service, region_name=self._settings.aws_region, config=config)

    @_translated
    def stack(self, name: str) -> Stack | None:
        from botocore.exceptions import ClientError

        try:
            found = self._client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if _code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
        return Stack(
            id=found["StackId"],
            name=found["StackName"],
            status=found["StackStatus"],
            parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])},
            outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
            tags={one["Key"]: one["Value"] for one in found.get("Tags", [])},
            role=found.get("RoleARN", ""),
            reason=found.get("StackStatusReason", ""),
        )

    @_translated
    def bundle(self, key: str) -> Bundle | None:
        from botocore.exceptions import ClientError

        try:
            head = self._client("s3").head_object(Bucket=self._settings.assets_bucket, Key=key)
        except ClientError as error:
            if _code(error) in ("404", "NoSuchKey", "NotFound"):
                return None
            raise
        age = (datetime.now(UTC) - head["LastModified"]).total_seconds()
        return Bundle(head["Metadata"].get(DIGEST, ""), head["ETag"], head.get("VersionId", ""), age > SETTLED_AFTER)

    @_translated
    def latest_execution(self, pipeline: str) -> Execution | None:
        from botocore.exceptions import ClientError

        try:
            listed = self._client("codepipeline").list_pipeline_executions(pipelineName=pipeline, maxResults=1)
        except ClientError as error:
            if _code(error) == "PipelineNotFoundException":
                raise PipelineGone from error
            raise
        for one in listed["pipelineExecutionSummaries"]:
            revisions = [revision.get("revisionId", "") for revision in one.get("sourceRevisions", [])]
            return Execution(
                one["pipelineExecutionId"],
                one["status"],
                revisions[0] if revisions else "",
                one["startTime"].timestamp(),
            )
        return None

    @_translated
    def put_bundle(self, plan: Plan, replaces: str | None) -> str:
        from botocore.exceptions import ClientError

        condition = {"IfMatch": replaces} if replaces else {"IfNoneMatch": "*"}
        try:
            put = self._client("s3").put_object(
                Bucket=self._settings.assets_bucket,
                Key=plan.bundle_key,
                Body=plan.bundle,
                ContentType="application/zip",
                Metadata={DIGEST: plan.digest},
                **condition,
            )
        except ClientError as error:
            if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409"):
                raise Moved from error
            raise
        if "VersionId" not in put:
            bucket = self._settings.assets_bucket
            raise Unavailable(f"The assets bucket {bucket} is not versioned any more: turn its versioning on.")
        return str(put["VersionId"])

    @_translated
    def remove_bundle(self, plan: Plan, version: str) -> None:
        bucket = self._settings.assets_bucket
        self._client("s3").delete_object(Bucket=bucket, Key=plan.bundle_key, VersionId=version)

    @_translated
    def create_delivery(self, plan: Plan) -> str:
        from botocore.exceptions import ClientError

        try:
            created = self._client("cloudformation").create_stack(
                **self._delivery(plan),
                OnFailure="DO_NOTHING",
                Tags=[{"Key": key, "Value": value} for key, value in plan.tags.items()],
            )
        except ClientError as error:
            if _code(error) == "AlreadyExistsException":
                raise AlreadyExists from error
            raise
        return str(created["StackId"])

    @_translated
    def update_delivery(self, plan: Plan) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._client("cloudformation").update_stack(**self._delivery(plan))
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise
        return True

    @_translated
    def delete_stack(self, stack: Stack) -> None:
        self._client("cloudformation").delete_stack(StackName=stack.id, RoleARN=self._settings.cfn_role_arn)

    @_translated
    def continue_rollback(self, stack: Stack) -> None:
        client = self._client("cloudformation")
        undo = client.rollback_stack if stack.status == "UPDATE_FAILED" else client.continue_update_rollback
        undo(StackName=stack.id, RoleARN=self._settings.cfn_role_arn)

    @_translated
    def start(self, pipeline: str, version: str, token: str) -> str:
        started = self._client("codepipeline").start_pipeline_execution(
            name=pipeline,
            clientRequestToken=token,
            sourceRevisions=[
                {
                    "actionName": "S3Source",
                    "revisionType": "S3_OBJECT_VERSION_ID",
                    "revisionValue": version,
                }
            ],
        )
        return str(started["pipelineExecutionId"])

    @_translated
    def pipeline_state(self, pipeline: str) -> Document:
        from botocore.exceptions import ClientError

        try:
            state = self._client("codepipeline").get_pipeline_state(name=pipeline)
        except ClientError as error:
            if _code(error) == "PipelineNotFoundException":
                raise PipelineGone from error
            raise
        document: Document = json.loads(json.dumps(state, default=_iso))
        return document

    @_translated
    def first_failure(self, stack: Stack, since: float) -> str:
        pages = (
            self._client("cloudformation")
            .get_paginator("describe_stack_events")
            .paginate(StackName=stack.id, PaginationConfig={"MaxItems": 300})
        )
        first = ""
        for event in (event for page in pages for event in page["StackEvents"]):  # the newest first
            if event["Timestamp"].timestamp() < since:
                break
            itself = event["PhysicalResourceId"] == event["StackId"]
            if itself and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
                break  # where the last operation began
            reason = event.get("ResourceStatusReason", "")
            if event["ResourceStatus"].endswith("_FAILED") and not itself and "cancelled" not in reason:
                first = f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
        return first

    @_translated
    def jobs_failure(self, execution_arn: str) -> str:
        from botocore.exceptions import ClientError

        try:
            execution = self._client("stepfunctions").describe_execution(executionArn=execution_arn)
        except ClientError as error:
            if _code(error) == "ExecutionDoesNotExist":  # Step Functions forgets after 90 days
                return ""
            raise
        if execution["status"] in ("RUNNING", "SUCCEEDED", "PENDING_REDRIVE"):
            return ""
        return str(execution.get("cause") or execution.get("error") or f"the jobs ended as {execution['status']}")

    @_translated
    def running_job(self, execution_arn: str) -> Job | None:
        from botocore.exceptions import ClientError

        try:
            history = self._client("stepfunctions").get_execution_history(
                executionArn=execution_arn, reverseOrder=True, maxResults=10, includeExecutionData=True
            )
            entered = (event for event in history["events"] if event["type"] == "TaskStateEntered")
            asked = next(filter(None, (_job_of(event["stateEnteredEventDetails"]) for event in entered)), None)
            if asked is None:
                return None
            kind, name = asked
            found = getattr(self._client("sagemaker"), JOBS[kind])(**{f"{kind}Name": name})
        except ClientError as error:
            if _code(error) in (
                "ValidationException",
                "ResourceNotFound",
                "ExecutionDoesNotExist",
            ):  # not there yet, or gone
                return None
            raise
        status = found[f"{kind}Status"]
        progress = found.get("SecondaryStatus") or found.get("AutoMLJobSecondaryStatus") or ""
        return Job(kind, name, status, progress)

    def _delivery(self, plan: Plan) -> dict[str, Any]:
        return {
            "StackName": plan.delivery_stack,
            "TemplateBody": plan.delivery_template,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in plan.delivery_parameters.items()
            ],
            "Capabilities": ["CAPABILITY_IAM"],
            "RoleARN": self._settings.cfn_role_arn,
        }


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _job_of(entered: Document) -> tuple[str, str] | None:
    """The job that a state runs: by convention its input says so (docs/adding-a-blueprint.md)."""
    given = json.loads(entered.get("input") or "null")
    job = given.get("job") if isinstance(given, dict) else None
    if not isinstance(job, dict) or job.get("kind") not in JOBS or not isinstance(job.get("name"), str):
        return None
    return job["kind"], job["name"]
