# SPDX-License-Identifier: Apache-2.0
"""What a pipeline's runs came to, as the API lists them."""

from __future__ import annotations

from typing import Any

import pytest
from chalicelib.aws.observed import Action, Execution, Job, Stack, StateMachineRun
from chalicelib.aws.port import InvalidNextToken, PipelineGone
from chalicelib.errors import BadRequest
from chalicelib.status import history
from chalicelib.status.history import Page

NAME = "mlops-pipeline-m-modeltraining"
DELIVERY = Stack("id", f"{NAME}-codepipeline", "CREATE_COMPLETE", {"StackName": NAME}, {"PipelineName": "p"})
DEPLOYED = Stack("id", NAME, "CREATE_COMPLETE")
MACHINE = "arn:aws:states:us-east-1:123456789012:execution:machine:one"
CHANGE = f"arn:aws:cloudformation:us-east-1:123456789012:stack/{NAME}/y"


class Past:
    """A cloud with one run, which ended by one action."""

    def __init__(self, execution: Execution, action: Action, job: Job | None = None, failure: str = "") -> None:
        self.execution, self.action, self.made, self.failure = execution, action, job, failure
        self.between: tuple[float, float | None] = (0, None)

    def executions(self, pipeline: str, limit: int, token: str) -> tuple[list[Execution], str]:
        if token == "wrong":
            raise InvalidNextToken
        return [self.execution], "more"

    def actions(self, pipeline: str, execution_id: str) -> list[Action]:
        return [self.action, Action("Source", "S3Source", "Succeeded", "version-1")]

    def first_failure(self, stack: Stack, since: float, until: float | None = None) -> str:
        self.between = (since, until)
        return self.failure

    def state_machine_run(self, execution_arn: str) -> StateMachineRun:
        return StateMachineRun((self.made.kind, self.made.name) if self.made else None, self.failure)

    def job(self, kind: str, name: str) -> Job | None:
        return self.made


def listed(cloud: Any, detailed: bool = True) -> Any:
    (run,) = history.runs(DELIVERY, [DEPLOYED], Page(), detailed, cloud)["runs"]
    return run


def test_a_failed_deployment_is_told_by_what_the_stack_said_during_that_run() -> None:
    execution = Execution("one", "Failed", started=1_700_000_000, updated=1_700_000_060)
    cloud = Past(execution, Action("Deploy", "deploy_stack", "Failed", CHANGE, "see the stack"), failure="Model: no")
    run = listed(cloud)
    assert (run["status"], run["stage"], run["reason"], run["job"]) == ("Failed", "Deploy", "Model: no", None)
    assert cloud.between == (1_700_000_000, 1_700_000_060)


def test_awss_words_are_kept_inside_where_the_deployment_says_so() -> None:
    job = Job("TrainingJob", "job", "Failed")
    cloud = Past(Execution("one", "Failed"), Action("Run", "run_jobs", "Failed", MACHINE), job, "arn:aws:iam::1:role/x")
    assert listed(cloud)["reason"] == "arn:aws:iam::1:role/x"
    assert listed(cloud, detailed=False)["reason"].startswith("TrainingJob job has the status Failed; ")
    cloud = Past(
        Execution("one", "Failed"), Action("Deploy", "deploy_stack", "Failed", CHANGE, "arn:aws:iam::1:role/x")
    )
    assert listed(cloud, detailed=False)["reason"].startswith("the stage Deploy failed; ")


def test_a_run_that_is_under_way_has_not_ended_and_a_stopped_one_says_why() -> None:
    running = Execution("one", "InProgress", started=1_700_000_000, updated=1_700_000_060)
    run = listed(Past(running, Action("Run", "run_jobs", "InProgress", MACHINE)))
    assert (run["status"], run["ended"], run["reason"]) == ("Running", None, None)
    stopped = Execution("one", "Stopped", updated=1_700_000_060, summary="a freeze")
    run = listed(Past(stopped, Action("Run", "run_jobs", "Succeeded", MACHINE)))
    assert (run["status"], run["reason"], bool(run["ended"])) == ("Stopped", "a freeze", True)


def test_a_job_that_is_older_than_the_run_is_another_ones() -> None:
    action = Action("Run", "run_jobs", "Failed", MACHINE)
    for started, ours in ((1_700_000_010.0, True), (1_699_999_000.0, False), (None, True)):
        job = Job("TrainingJob", "job", "Completed", started=started)
        run = listed(Past(Execution("one", "Failed", started=1_700_000_000), action, job, "must be unique"))
        assert bool(run["job"]) == ours


def test_a_page_goes_on_where_it_ended_and_a_wrong_token_is_refused() -> None:
    cloud: Any = Past(Execution("one", "Succeeded"), Action("Run", "run_jobs", "Succeeded", MACHINE))
    assert history.runs(DELIVERY, [DEPLOYED], Page(), True, cloud)["next"] == "more"
    with pytest.raises(BadRequest) as refused:
        history.runs(DELIVERY, [DEPLOYED], Page(token="wrong"), True, cloud)
    assert [problem.path for problem in refused.value.problems] == ["/next"]


def test_a_pipeline_that_is_not_there_has_no_runs() -> None:
    class Gone:
        def executions(self, pipeline: str, limit: int, token: str) -> Any:
            raise PipelineGone

    gone: Any = Gone()
    assert history.runs(DELIVERY, [DEPLOYED], Page(), True, gone) == {"name": NAME, "runs": []}
    hollow = Stack("id", f"{NAME}-codepipeline", "CREATE_IN_PROGRESS", {"StackName": NAME})
    assert history.runs(hollow, [None], Page(), True, gone) == {"name": NAME, "runs": []}
