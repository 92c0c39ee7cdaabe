# SPDX-License-Identifier: Apache-2.0
"""Step Functions and SageMaker: the executions of state machines, and the jobs that they run."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chalicelib.aws.calls import Calls, code, translated
from chalicelib.cloud import Document
from chalicelib.found import Job

# The kinds of job that SageMaker has, and what describes each.
JOBS: Mapping[str, str] = {
    "TrainingJob": "describe_training_job",
    "HyperParameterTuningJob": "describe_hyper_parameter_tuning_job",
    "TransformJob": "describe_transform_job",
    "ProcessingJob": "describe_processing_job",
    "AutoMLJob": "describe_auto_ml_job_v2",
}


class Jobs(Calls):
    """Calls to Step Functions and SageMaker."""

    @translated
    def jobs_failure(self, execution_arn: str) -> str:
        from botocore.exceptions import ClientError

        try:
            execution = self.client("stepfunctions").describe_execution(executionArn=execution_arn)
        except ClientError as error:
            if code(error) == "ExecutionDoesNotExist":  # Step Functions forgets after 90 days
                return ""
            raise
        if execution["status"] in ("RUNNING", "SUCCEEDED", "PENDING_REDRIVE"):
            return ""
        return str(execution.get("cause") or execution.get("error") or f"the jobs ended as {execution['status']}")

    @translated
    def running_job(self, execution_arn: str) -> Job | None:
        from botocore.exceptions import ClientError

        try:
            history = self.client("stepfunctions").get_execution_history(
                executionArn=execution_arn, reverseOrder=True, maxResults=10, includeExecutionData=True
            )
            entered = (event for event in history["events"] if event["type"] == "TaskStateEntered")
            asked = next(filter(None, (_job_of(event["stateEnteredEventDetails"]) for event in entered)), None)
            if asked is None:
                return None
            kind, name = asked
            found = getattr(self.client("sagemaker"), JOBS[kind])(**{f"{kind}Name": name})
        except ClientError as error:
            if code(error) in (
                "ValidationException",
                "ResourceNotFound",
                "ExecutionDoesNotExist",
            ):  # not there yet, or gone
                return None
            raise
        status = found[f"{kind}Status"]
        progress = found.get("SecondaryStatus") or found.get("AutoMLJobSecondaryStatus") or ""
        return Job(kind, name, status, progress)


def _job_of(entered: Document) -> tuple[str, str] | None:
    """The job that a state runs: by convention its input says so (docs/adding-a-blueprint.md)."""
    given = json.loads(entered.get("input") or "null")
    job = given.get("job") if isinstance(given, dict) else None
    if not isinstance(job, dict) or job.get("kind") not in JOBS or not isinstance(job.get("name"), str):
        return None
    return job["kind"], job["name"]
