# SPDX-License-Identifier: Apache-2.0
"""What AWS says -> what a person reads: the latest run, never a stale one, never green too early."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from chalicelib.aws.observed import (
    ENDED_BADLY,
    STACK_PHASES,
    Action,
    Bundle,
    Execution,
    Job,
    Phase,
    Stack,
    StateMachineRun,
)
from chalicelib.aws.port import PipelineGone
from chalicelib.errors import NotFound
from chalicelib.settings import Settings
from chalicelib.status import report
from chalicelib.status.outcome import Reason, of_actions

NAME = "mlops-pipeline-m-modeltraining"
DELIVERY = Stack(
    "id",
    f"{NAME}-codepipeline",
    "CREATE_COMPLETE",
    parameters={"StackName": NAME},
    outputs={"PipelineName": "the-pipeline"},
    tags={"mlops_orchestrator": "mlops-orchestrator", "pipeline_type": "model_training_builtin"},
)
DEPLOYED = Stack("id", NAME, "CREATE_COMPLETE", outputs={"TrainingJobName": "job"})
MACHINE = "arn:aws:states:us-east-1:123456789012:execution:machine:one"
STACK = f"arn:aws:cloudformation:us-east-1:123456789012:stack/{NAME}/y"


class ScriptedCloud:
    """A cloud that answers status's questions as it was told."""

    def __init__(self, *stacks: Stack, execution: Execution | None, stages: list[Any], **answers: Any) -> None:
        self.stacks = {stack.name: stack for stack in stacks} | {stack.id: stack for stack in stacks if ":" in stack.id}
        self.execution, self.stages, self.answers = execution, stages, answers

    def stack(self, name: str) -> Stack | None:
        return self.stacks.get(name)

    def latest_execution(self, pipeline: str) -> Execution | None:
        if self.answers.get("gone"):
            raise PipelineGone
        return self.execution

    def pipeline_state(self, pipeline: str) -> Any:
        return {"pipelineName": pipeline, "stageStates": self.stages}

    def executions(self, pipeline: str, limit: int, token: str) -> tuple[list[Execution], str]:
        return self.answers["executions"], self.answers.get("next", "")

    def actions(self, pipeline: str, execution_id: str) -> list[Action]:
        actions: list[Action] = self.answers["actions"][execution_id]
        return actions

    def bundle(self, key: str) -> Bundle | None:
        assert key == f"mlops_provisioned_pipelines/{NAME}/template.zip"
        bundle: Bundle = self.answers["bundle"]
        return bundle

    def first_failure(self, stack: Stack, since: float, until: float | None = None) -> str:
        return str(self.answers.get("first_failure", ""))

    def lost(self, stack: Stack) -> list[str]:
        gone: list[str] = self.answers.get("lost", [])
        return gone

    def state_machine_run(self, execution_arn: str) -> StateMachineRun:
        job = self.answers.get("job")
        return StateMachineRun((job.kind, job.name) if job else None, self.answers.get("jobs_failure", ""))

    def job(self, kind: str, name: str) -> Job | None:
        job: Job | None = self.answers.get("job")
        assert job is None or (job.kind, job.name) == (kind, name)
        return job


def stage(name: str, execution: str, state: str, **latest: Any) -> dict[str, Any]:
    return {
        "stageName": name,
        "latestExecution": {"pipelineExecutionId": execution, "status": state},
        "actionStates": [{"actionName": "act", "latestExecution": {"status": state, **latest}}],
    }


def read(
    settings: Settings,
    *stacks: Stack,
    execution: Execution | None,
    stages: list[Any],
    detailed: bool = True,
    **answers: Any,
) -> Any:
    cloud: Any = ScriptedCloud(*stacks, execution=execution, stages=stages, **answers)
    return report.document(report.look_up(NAME, settings, cloud), detailed)["pipeline"]


SUCCEEDED = [stage(name, "one", "Succeeded") for name in ("Source", "Deploy", "Run")]


def test_a_run_that_has_succeeded_everywhere_is_succeeded(settings: Settings) -> None:
    found = read(settings, DELIVERY, DEPLOYED, execution=Execution("one", "Succeeded"), stages=SUCCEEDED)
    assert (found["status"], found["stage"], found["reason"]) == ("Succeeded", "Run", None)
    assert found["outputs"] == {"TrainingJobName": "job"}


def test_a_run_that_has_not_reached_its_stages_yet_is_running_and_tells_nothing_of_the_last(settings: Settings) -> None:
    failed = [stage("Source", "one", "Succeeded"), stage("Run", "one", "Failed", errorDetails={"message": "old"})]
    found = read(settings, DELIVERY, DEPLOYED, execution=Execution("two", "InProgress"), stages=failed)
    assert (found["status"], found["stage"], found["reason"]) == ("Running", None, None)
    assert [one["status"] for one in found["stages"]] == [None, None]
    assert "old" not in str(found)


def test_between_two_stages_it_is_running(settings: Settings) -> None:
    stages = [stage("Source", "two", "Succeeded"), stage("Run", "one", "Succeeded")]
    found = read(settings, DELIVERY, DEPLOYED, execution=Execution("two", "InProgress"), stages=stages)
    assert (found["status"], found["stage"]) == ("Running", "Source")


def test_an_approval_is_waited_for(settings: Settings) -> None:
    stages = [stage("Approve", "one", "InProgress", token="t")]
    found = read(settings, DELIVERY, DEPLOYED, execution=Execution("one", "InProgress"), stages=stages)
    assert found["status"] == "WaitingForApproval"
    assert found["stages"][0]["actions"][0]["waiting"]


def test_a_running_job_is_told(settings: Settings) -> None:
    job = Job("TrainingJob", "job", "InProgress", "Training")
    found = read(
        settings,
        DELIVERY,
        DEPLOYED,
        execution=Execution("one", "InProgress"),
        job=job,
        stages=[stage("Run", "one", "InProgress", externalExecutionId=MACHINE)],
    )
    assert found["job"] == {
        "kind": "TrainingJob",
        "name": "job",
        "status": "InProgress",
        "progress": "Training",
        "started": None,
        "ended": None,
        "metrics": {},
        "artifact": None,
        "registered": None,
    }


JOB = Job(
    "TrainingJob",
    "job-1a2b3c4d",
    "Completed",
    started=1_700_000_000.7,
    ended=1_700_000_060,
    metrics={"validation:auc": 0.9},
    artifact="s3://assets/output/job-1a2b3c4d/output/model.tar.gz",
)


def test_the_latest_job_is_told_when_it_has_ended(settings: Settings) -> None:
    ended = [stage("Run", "one", "Succeeded", externalExecutionId=MACHINE)]
    found = read(settings, DELIVERY, DEPLOYED, execution=Execution("one", "Succeeded"), job=JOB, stages=ended)
    assert found["job"] == {
        "kind": "TrainingJob",
        "name": "job-1a2b3c4d",
        "status": "Completed",
        "progress": "",
        "started": "2023-11-14T22:13:20+00:00",
        "ended": "2023-11-14T22:14:20+00:00",
        "metrics": {"validation:auc": 0.9},
        "artifact": "s3://assets/output/job-1a2b3c4d/output/model.tar.gz",
        "registered": None,
    }
    assert found["outputs"] == {"TrainingJobName": "job-1a2b3c4d"}, "not the first run's"


@pytest.mark.parametrize(
    ("first", "name", "is_renamed"),
    [
        ("m" * 63, "m" * 54 + "-1a2b3c4d", True),  # cut to the 63 characters of a training job's name
        ("m" * 32, "m" * 23 + "-1a2b3c4d", True),  # or the 32 of a tuning job's
        ("m" * 53 + "-training", "m" * 53 + "-1a2b3c4d", True),
        ("other", "job-1a2b3c4d", False),
        ("job", "-1a2b3c4d", False),
        ("job-one", "job-two-of-all", False),
    ],
)
def test_the_output_with_the_name_of_a_job_has_that_of_the_latest_run(
    first: str, name: str, is_renamed: bool, settings: Settings
) -> None:
    ended = [stage("Run", "one", "Succeeded", externalExecutionId=MACHINE)]
    deployed = replace(DEPLOYED, outputs={"TheJobName": first})
    job = replace(JOB, name=name)
    found = read(settings, DELIVERY, deployed, execution=Execution("one", "Succeeded"), job=job, stages=ended)
    assert found["outputs"] == {"TheJobName": name if is_renamed else first}


def test_a_failed_job_is_told_with_the_reason(settings: Settings) -> None:
    failed = [stage("Run", "one", "Failed", externalExecutionId=MACHINE)]
    job = replace(JOB, status="Failed", metrics={}, artifact="")
    execution = Execution("one", "Failed")
    found = read(settings, DELIVERY, DEPLOYED, execution=execution, job=job, jobs_failure="its words", stages=failed)
    assert (found["reason"], found["job"]["name"], found["job"]["status"]) == ("its words", JOB.name, "Failed")


def test_an_action_that_has_not_begun_in_this_run_tells_nothing_of_the_last(settings: Settings) -> None:
    entered = stage(
        "Run", "two", "InProgress", externalExecutionId=MACHINE, lastStatusChange="2023-11-14T22:13:20+00:00"
    )
    execution = Execution("two", "InProgress", started=1_700_000_060)
    found = read(settings, DELIVERY, DEPLOYED, execution=execution, job=JOB, stages=[entered])
    assert found["job"] is None


@pytest.mark.parametrize(
    ("external", "answers", "reason"),
    [
        (MACHINE, {"jobs_failure": "the job's words"}, "the job's words"),
        (MACHINE, {}, "the action's words"),
        (STACK, {"first_failure": "Model: its words"}, "Model: its words"),
        (STACK, {}, "the action's words"),
        ("", {"first_failure": "of another time"}, "the action's words"),
    ],
)
def test_a_failure_is_told_as_deep_as_it_is_known(
    settings: Settings, external: str, answers: dict[str, str], reason: str
) -> None:
    details = {"externalExecutionId": external, "errorDetails": {"message": "the action's words"}}
    found = read(
        settings,
        DELIVERY,
        DEPLOYED,
        execution=Execution("one", "Failed"),
        **answers,
        stages=[stage("Source", "one", "Succeeded"), stage("Act", "one", "Failed", **details)],
    )
    assert (found["status"], found["stage"], found["reason"]) == ("Failed", "Act", reason)


@pytest.mark.parametrize("ended", sorted(ENDED_BADLY - {"Failed"}))
def test_what_was_stopped_is_stopped(settings: Settings, ended: str) -> None:
    found = read(settings, DELIVERY, DEPLOYED, execution=Execution("one", ended), stages=SUCCEEDED)
    assert found["status"] == "Stopped"


def test_what_was_deleted_behind_it_is_failed_with_the_reason(settings: Settings) -> None:
    found = read(settings, DELIVERY, execution=Execution("one", "Succeeded"), stages=SUCCEEDED)
    assert (found["status"], found["reason"]) == ("Failed", report.STACK_GONE.format(NAME))
    found = read(settings, DELIVERY, DEPLOYED, execution=None, stages=[], gone=True)
    assert (found["status"], found["reason"]) == ("Failed", report.PIPELINE_GONE)


@pytest.mark.parametrize("stack_status", sorted(STACK_PHASES))
def test_a_stack_operation_outranks_an_execution(settings: Settings, stack_status: str) -> None:
    words = {Phase.CREATING: "Creating", Phase.CHANGING: "Updating", Phase.DELETING: "Deleting"}
    expected = words.get(STACK_PHASES[stack_status])
    for delivery, deployed in (
        (replace(DELIVERY, status=stack_status), DEPLOYED),
        (DELIVERY, replace(DEPLOYED, status=stack_status)),
    ):
        if delivery.phase is Phase.GONE:
            with pytest.raises(NotFound):
                read(settings, delivery, deployed, execution=None, stages=[])
            continue
        found = read(settings, delivery, deployed, execution=Execution("one", "Succeeded"), stages=SUCCEEDED)
        assert found["status"] == (expected or found["status"])
        if delivery.phase in (Phase.NEVER_COMPLETED, Phase.STUCK, Phase.BLOCKED):
            assert found["status"] == "Failed"


def test_before_the_pipeline_and_before_its_first_run_it_is_creating(settings: Settings) -> None:
    for outputs in ({}, {"PipelineName": "the-pipeline"}):
        found = read(settings, replace(DELIVERY, outputs=outputs), execution=None, stages=[])
        assert found["status"] == "Creating"


@pytest.mark.parametrize(
    "pipeline_id",
    [
        NAME,
        f"{NAME}-codepipeline",
        "arn:aws:cloudformation:us-east-1:123456789012:stack/" + NAME + "-codepipeline/uuid",
    ],
)
def test_a_pipeline_is_found_by_its_name_and_its_id(settings: Settings, pipeline_id: str) -> None:
    stack = replace(DELIVERY, id=f"arn:aws:cloudformation:us-east-1:123456789012:stack/{DELIVERY.name}/uuid")
    cloud: Any = ScriptedCloud(stack, DEPLOYED, execution=None, stages=[])
    assert report.look_up(pipeline_id, settings, cloud).delivery == stack


def test_somebody_elses_stack_is_no_pipeline(settings: Settings) -> None:
    cloud: Any = ScriptedCloud(replace(DELIVERY, tags={"stack_name": "x"}), execution=None, stages=[])
    with pytest.raises(NotFound):
        report.look_up(NAME, settings, cloud)


def test_why_a_stack_failed_is_kept_inside_where_the_deployment_says_so(settings: Settings) -> None:
    secret = "arn:aws:iam::123456789012:role/secret"
    broken = replace(DELIVERY, status="ROLLBACK_COMPLETE")
    cloud: Any = ScriptedCloud(broken, execution=None, stages=[], first_failure=f"Pipeline: {secret} may not")
    snapshot = report.look_up(NAME, settings, cloud)
    assert secret in str(report.document(snapshot, detailed=True)["pipeline"]["reason"])
    assert "arn:aws:iam" not in str(report.document(snapshot, detailed=False)["pipeline"]["reason"])


def test_awss_words_and_arns_are_kept_inside_where_the_deployment_says_so(settings: Settings) -> None:
    secret = "arn:aws:iam::123456789012:role/secret"
    stages = [
        {
            **stage("Run", "one", "Failed", externalExecutionId=MACHINE, errorDetails={"message": f"{secret} may not"}),
            "inboundTransitionState": {"enabled": True, "lastChangedBy": secret},
        }
    ]
    job = replace(JOB, status="Failed", artifact="")
    deployed = replace(DEPLOYED, outputs={"StateMachineArn": secret, "TrainingJobName": "job"})
    cloud: Any = ScriptedCloud(
        DELIVERY, deployed, execution=Execution("one", "Failed"), stages=stages, job=job, jobs_failure=secret
    )
    snapshot = report.look_up(NAME, settings, cloud)
    assert secret in str(report.document(snapshot, detailed=True))
    kept = report.document(snapshot, detailed=False)
    assert "arn:" not in str(kept)
    assert kept["stageStates"][0]["latestExecution"] == {"pipelineExecutionId": "one", "status": "Failed"}
    assert kept["pipeline"]["reason"].startswith("TrainingJob job-1a2b3c4d has the status Failed; ")
    assert kept["pipeline"]["outputs"] == {"TrainingJobName": "job-1a2b3c4d"}
    cloud = ScriptedCloud(DELIVERY, execution=Execution("one", "Succeeded"), stages=[])
    ours = report.document(report.look_up(NAME, settings, cloud), detailed=False)
    assert ours["pipeline"]["reason"] == report.STACK_GONE.format(NAME), "our own words are told"


def test_what_was_deleted_inside_the_deployed_stack_is_failed_with_the_reason(settings: Settings) -> None:
    gone = ["AWS::ApiGateway::RestApi a1b2", "AWS::SageMaker::Endpoint churn"]
    for ended in ("Succeeded", "Failed", "Stopped"):
        found = read(settings, DELIVERY, DEPLOYED, execution=Execution("one", ended), stages=SUCCEEDED, lost=gone)
        assert found["status"] == "Failed"
        assert found["reason"].startswith(f"{gone[0]} and {gone[1]} of the stack {NAME} were deleted")
        assert f"mlops delete {NAME}" in found["reason"]
    running = [stage("Run", "one", "InProgress")]
    found = read(settings, DELIVERY, DEPLOYED, execution=Execution("one", "InProgress"), stages=running, lost=gone)
    assert (found["status"], found["reason"]) == ("Running", None), "a run may be what heals it"


@pytest.mark.parametrize(
    ("deploy", "enabled", "held"),
    [("Succeeded", False, True), ("Succeeded", True, False), ("InProgress", False, False)],
)
def test_a_disabled_transition_is_told_once_it_holds_the_run(
    settings: Settings, deploy: str, enabled: bool, held: bool
) -> None:
    stages = [
        stage("Deploy", "two", deploy),
        {**stage("Run", "one", "Succeeded"), "inboundTransitionState": {"enabled": enabled}},
    ]
    found = read(settings, DELIVERY, DEPLOYED, execution=Execution("two", "InProgress"), stages=stages)
    assert found["status"] == "Running"
    assert [one["enabled"] for one in found["stages"]] == [True, enabled]
    assert ("--stage-name Run" in (found["reason"] or "")) == held


@pytest.mark.parametrize("stage", [0, 1])
def test_of_several_stages_each_counts_and_the_last_is_shown(stage: int) -> None:
    whole = [
        replace(DEPLOYED, name=f"{NAME}-{name}", outputs={"SageMakerEndpointName": name}) for name in ("dev", "prod")
    ]

    def seen(stack: Stack | None) -> report.PipelineSnapshot:
        deployed = tuple(stack if index == stage else one for index, one in enumerate(whole))
        return report.PipelineSnapshot(DELIVERY, deployed, Execution("one", "Succeeded"))

    shown = report.document(seen(whole[stage]), detailed=True)["pipeline"]
    assert shown["status"] == "Succeeded"
    assert shown["stack"]["name"] == f"{NAME}-prod"
    assert shown["outputs"] == {"SageMakerEndpointName": "prod"}
    assert report.status_of(seen(replace(whole[stage], status="UPDATE_IN_PROGRESS"))) == "Updating"
    for broken in (None, replace(whole[stage], status="DELETE_FAILED"), replace(whole[stage], lost=("an endpoint",))):
        assert report.status_of(seen(broken)) == "Failed"


def test_a_failed_deployment_is_explained_by_the_stack_that_the_action_deployed() -> None:
    class Failures(ScriptedCloud):
        def first_failure(self, stack: Stack, since: float, until: float | None = None) -> str:
            return f"of {stack.name}"

    stacks = [None, *(replace(DEPLOYED, name=f"{NAME}-{name}") for name in ("prod", "prod-2"))]
    arn = f"arn:aws:cloudformation:us-east-1:123456789012:stack/{NAME}-prod-2/uuid"
    failed = Action("DeployProd", "deploy_stack", "Failed", arn, "see the stack")
    cloud: Any = Failures(execution=None, stages=[])
    outcome = of_actions([failed], Execution("one", "Failed"), stacks, cloud)
    assert outcome.reason == Reason(f"of {NAME}-prod-2", from_aws=True)


OWN = Stack(
    "id",
    NAME,
    "UPDATE_COMPLETE",
    parameters={"BundleDigest": "first"},
    outputs={"PipelineName": "the-pipeline", "CustomAlgorithmImageURI": "uri"},
    tags=DELIVERY.tags,
)
BUILD = "mlops-pipeline-m:0b6a3ee3-5b4c-4f0e-9d4e-1f2a3b4c5d6e"


def test_a_pipeline_without_stages_is_its_own_stack(settings: Settings) -> None:
    found = read(settings, OWN, execution=Execution("one", "Succeeded"), stages=SUCCEEDED)
    assert (found["name"], found["status"], found["reason"]) == (NAME, "Succeeded", None)
    assert found["stack"] == {"name": NAME, "status": "UPDATE_COMPLETE"}
    assert found["outputs"] == OWN.outputs


@pytest.mark.parametrize(("digest", "status"), [("first", "Succeeded"), ("second", "Failed")])
def test_a_stack_of_its_own_whose_update_was_rolled_back_is_failed_until_it_has_the_last_request(
    settings: Settings, digest: str, status: str
) -> None:
    """CodePipeline runs what a rollback restores; it is not what was asked for last."""
    rolled_back = replace(OWN, status="UPDATE_ROLLBACK_COMPLETE")
    found = read(
        settings,
        rolled_back,
        execution=Execution("one", "Succeeded"),
        stages=SUCCEEDED,
        bundle=Bundle(digest, "etag", "version", settled=True),
        first_failure="BuildRole (AWS::IAM::Role): denied",
    )
    assert found["status"] == status
    assert found["reason"] == (None if status == "Succeeded" else "BuildRole (AWS::IAM::Role): denied")


def test_a_failed_build_is_told_with_the_way_to_its_log(settings: Settings) -> None:
    failed = stage(
        "Build",
        "one",
        "Failed",
        externalExecutionId=BUILD,
        externalExecutionUrl="https://console/builds",
        errorDetails={"message": "Build terminated with state: FAILED"},
    )
    found = read(settings, OWN, execution=Execution("one", "Failed"), stages=[failed])
    assert found["reason"] == "Build terminated with state: FAILED. Log: https://console/builds"
    hidden = read(settings, OWN, execution=Execution("one", "Failed"), stages=[failed], detailed=False)
    assert "console/builds" not in str(hidden)
