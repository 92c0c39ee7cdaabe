# SPDX-License-Identifier: Apache-2.0
"""POST /pipelines/{name}/stop: the run, its state machine and its job end; asked twice it does no more."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.api.managing import stop, training_long
from tests.support.http import error_shape
from tests.support.installed import Installed
from tests.support.requests import LABELS, LONG, ROWS, csv, training


@pytest.fixture(scope="module")
def running(api: Installed) -> Any:
    api.put("stopping/train.csv", csv(ROWS, LABELS))
    return training_long(api, "stopping")


def test_the_run_its_state_machine_and_its_job_are_stopped(api: Installed, running: Any) -> None:
    answer = stop(api, running["name"])
    assert answer.status == 200, answer.text
    job = {"kind": "TrainingJob", "name": running["job"]["name"]}
    assert (answer.body["name"], answer.body["jobs"]) == (running["name"], [job])
    assert len(answer.body["executions"]) == 1
    ended = api.ended(running["name"])
    assert (ended["status"], ended["reason"]) == ("Stopped", "A request to the orchestrator stopped the run."), ended
    assert states(api, ended) == ["ABORTED"]
    for _ in range(50):
        described = api.client("sagemaker").describe_training_job(TrainingJobName=job["name"])
        if described["TrainingJobStatus"] == "Stopped":
            break
        time.sleep(0.2)
    assert described["TrainingJobStatus"] == "Stopped"


def states(api: Installed, pipeline: Any) -> list[str]:
    machine = pipeline["outputs"]["StateMachineArn"]
    executions = api.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return [execution["status"] for execution in executions]


def test_where_nothing_runs_it_says_so(api: Installed, running: Any) -> None:
    api.ended(running["name"])
    for _ in range(2):
        answer = stop(api, running["name"], b"{}")
        assert answer.status == 200
        assert answer.body == {
            "message": f"The pipeline {running['name']} is not running.",
            "name": running["name"],
            "executions": [],
            "jobs": [],
            "builds": [],
        }


def test_the_same_request_runs_what_was_stopped_again(api: Installed, running: Any) -> None:
    api.ended(running["name"])
    again = api.provision(training("stopping", validation_data="", algo_hyperparameters=LONG))
    assert again.status == 200
    assert "the status of its last run is Stopped" in again.body["message"]
    stop(api, running["name"])
    assert api.ended(running["name"])["status"] == "Stopped"


def test_what_is_wrong_is_refused_in_the_one_shape(api: Installed, running: Any) -> None:
    for status, answer in (
        (403, stop(api, running["name"], signed=False)),
        (404, stop(api, "mlops-pipeline-nobody-modeltraining")),
        (404, stop(api, "mlops-orchestrator")),
        (400, stop(api, running["name"], b'{"force": true}')),
        (400, stop(api, running["name"], b"{")),
    ):
        assert answer.status == status, answer.text
        error_shape(answer)
