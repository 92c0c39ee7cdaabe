# SPDX-License-Identifier: Apache-2.0
"""The kinds of SageMaker jobs that a pipeline can run: one row for each, and nothing about them elsewhere.

Read by the blueprint compiler (the states that run a job, the policy for them), by the status of a job, and by the
account on the laptop. What botocore's service model says of a kind (the longest name, the statuses, the members of a
request) is not repeated here: whoever needs it has botocore, and the functions in AWS need it not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# What all kinds have: CreationTime, FailureReason and, among their statuses, these.
CREATED = "CreationTime"
FAILURE_REASON = "FailureReason"
COMPLETED = "Completed"
RUNNING = frozenset({"InProgress", "Stopping"})
ENDED_BADLY = frozenset({"Failed", "Stopped", "Deleting", "DeleteFailed"})

# What a run adds to the name of its job where another job has that name already: a hyphen, and 8 characters.
RUN_ENDING = 9

# Step Functions tags what it runs with .sync, and waits with a rule of its own:
# https://docs.aws.amazon.com/step-functions/latest/dg/sagemaker-iam.html
_SYNC_ACTIONS = ("sagemaker:AddTags", "sagemaker:ListTags")


@dataclass(frozen=True)
class JobKind:
    """One kind of job. What is written with dots leads into its description (a number into a list).

    The key is what the kind is called everywhere; the members of its name, status and ARN begin with it.
    """

    key: str
    label: str  # what people read: "Training job"
    arn: str  # the kind of resource, as its ARN names it
    version: str = ""  # of the operations that create and describe it
    events: str = ""  # the rule that Step Functions waits with; none: there is no .sync for this kind
    role: str = ""  # the member, of request and description, with the role that the job works as; none: a model's
    started: str = CREATED
    ended: str = "EndTime"
    progress: str = ""
    artifact: str = ""  # the S3 URI of what it made
    metrics: str = ""  # the final metrics: one, or a list of them
    counters: str = ""  # how many of the jobs that it starts have which status
    best: str = ""  # the summary of the best of the jobs that it starts, which made what counts
    is_model: bool = False  # whether what it made is a model
    containers: str = ""  # what serves the model, where the description says so
    model_metrics: str = ""  # the metrics of the model, where they are more than `metrics`
    logs_as: str = ""  # the kind of the jobs that it starts, whose log streams are its own; none: it has its own

    @property
    def create(self) -> str:
        """SageMaker's operation that creates one."""
        return f"Create{self.key}{self.version}"

    @property
    def describe(self) -> str:
        """SageMaker's operation that describes one."""
        return f"Describe{self.key}{self.version}"

    @property
    def stop(self) -> str:
        """SageMaker's operation that stops one."""
        return f"Stop{self.key}"

    @property
    def name(self) -> str:
        """The member with its name, in every request and in the description."""
        return f"{self.key}Name"

    @property
    def status(self) -> str:
        """The member of the description with its status."""
        return f"{self.key}Status"

    @property
    def log_group(self) -> str:
        """Where its containers log: https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html"""
        return f"/aws/sagemaker/{self.logs_as or self.key}s"

    def log_streams(self, job: str) -> str:
        """What the names of a job's log streams begin with."""
        return job if self.logs_as else f"{job}/"

    @property
    def integration(self) -> str:
        """What a Task state creates it with: and waits for it, where Step Functions can."""
        create = _lower(self.create)
        return f"sagemaker:{create}.sync" if self.events else f"aws-sdk:sagemaker:{create}"

    @property
    def describe_integration(self) -> str:
        """What a Task state describes it with."""
        return f"aws-sdk:sagemaker:{_lower(self.describe)}"

    @property
    def events_rule(self) -> str:
        """The name of the rule that Step Functions waits with; empty where there is no .sync."""
        return f"StepFunctionsGetEventsForSageMaker{self.events}Rule" if self.events else ""

    @property
    def actions(self) -> tuple[str, ...]:
        """What a state machine's role needs on the jobs that it runs."""
        create, describe, stop = (f"sagemaker:{one}" for one in (self.create, self.describe, self.stop))
        return (create, describe, stop, *_SYNC_ACTIONS) if self.events else (create, describe)


def _lower(operation: str) -> str:
    return operation[0].lower() + operation[1:]


_TRAINING = JobKind(
    "TrainingJob",
    "Training job",
    "training-job",
    events="TrainingJobs",
    role="RoleArn",
    started="TrainingStartTime",
    ended="TrainingEndTime",
    progress="SecondaryStatus",
    artifact="ModelArtifacts.S3ModelArtifacts",
    metrics="FinalMetricDataList",
    is_model=True,
)
_TUNING = JobKind(
    "HyperParameterTuningJob",
    "Tuning job",
    "hyper-parameter-tuning-job",
    events="TuningJobs",
    role="TrainingJobDefinition.RoleArn",
    ended="HyperParameterTuningEndTime",
    counters="TrainingJobStatusCounters",
    metrics="BestTrainingJob.FinalHyperParameterTuningJobObjectiveMetric",
    best="BestTrainingJob",
    is_model=True,
    logs_as="TrainingJob",
)
_TRANSFORM = JobKind(
    "TransformJob",
    "Batch transform job",
    "transform-job",
    events="TransformJobs",
    started="TransformStartTime",
    ended="TransformEndTime",
    artifact="TransformOutput.S3OutputPath",
)
_PROCESSING = JobKind(
    "ProcessingJob",
    "Processing job",
    "processing-job",
    events="ProcessingJobs",
    role="RoleArn",
    started="ProcessingStartTime",
    ended="ProcessingEndTime",
    artifact="ProcessingOutputConfig.Outputs.0.S3Output.S3Uri",
)
_AUTOML = JobKind(
    "AutoMLJob",
    "Autopilot job",
    "automl-job",
    version="V2",
    role="RoleArn",
    progress="AutoMLJobSecondaryStatus",
    artifact="BestCandidate.InferenceContainers.0.ModelDataUrl",
    metrics="BestCandidate.FinalAutoMLJobObjectiveMetric",
    containers="BestCandidate.InferenceContainers",
    model_metrics="BestCandidate.CandidateProperties.CandidateMetrics",
    is_model=True,
    logs_as="TrainingJob",
)

JOB_KINDS: Mapping[str, JobKind] = {kind.key: kind for kind in (_TRAINING, _TUNING, _TRANSFORM, _PROCESSING, _AUTOML)}
