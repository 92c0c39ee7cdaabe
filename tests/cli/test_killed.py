# SPDX-License-Identifier: Apache-2.0
"""`mlops local up --data` ended in the middle of things: what ran has failed and says why, and a repeat heals it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from mlops.sample import dataset

from tests.support.commands import TRAINING, Up
from tests.support.requests import LONG
from tests.support.waiting import wait_for

STOPPED = "The laptop account was stopped while this was running."


def request(name: str, **more: Any) -> str:
    return json.dumps(TRAINING | {"model_name": name} | more)


def provision(up: Up, body: str, *arguments: str) -> Any:
    done = up.mlops("provision", "-", "--json", *arguments, given=body)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def status(up: Up, name: str) -> Any:
    return json.loads(up.mlops("status", name, "--json").stdout)["pipeline"]


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_what_ran_when_it_was_ended(start_up: Callable[..., Up], tmp_path: Path, number: signal.Signals) -> None:
    first = start_up("--data", str(tmp_path))
    dataset.upload(first.client("s3"), first.ready["assets_bucket"])
    hyperparameters = {**TRAINING["algo_hyperparameters"], **LONG}
    training = provision(first, request("training", algo_hyperparameters=hyperparameters))["name"]
    sagemaker = first.client("sagemaker")
    wait_for(lambda: sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"])
    deploying = training.replace("training-", "deploying-", 1)
    # a deployment is short: the command is ended in the middle of it, too
    provisioning = Thread(target=first.mlops, args=("provision", "-"), kwargs={"given": request("deploying")})
    provisioning.start()
    stacks = first.client("cloudformation")
    wait_for(
        lambda: any(
            (stack["StackName"], stack["StackStatus"]) == (deploying, "CREATE_IN_PROGRESS")
            for stack in stacks.describe_stacks()["Stacks"]
        )
    )
    os.kill(first.process.pid, number)
    first.process.wait(20)
    provisioning.join()
    wait_for(lambda: not first.answers)

    second = until_free(start_up, tmp_path)
    jobs = second.client("sagemaker").list_training_jobs(NameContains="training-training-")["TrainingJobSummaries"]
    [job] = jobs  # the other pipeline may have got as far as its own
    reason = second.client("sagemaker").describe_training_job(TrainingJobName=job["TrainingJobName"])["FailureReason"]
    assert STOPPED in reason
    states = second.client("stepfunctions")
    [machine] = states.list_state_machines()["stateMachines"][:1]
    [execution] = states.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
    described = states.describe_execution(executionArn=execution["executionArn"])
    assert (described["status"], described["cause"]) == ("FAILED", STOPPED)
    last = states.get_execution_history(executionArn=execution["executionArn"], reverseOrder=True)["events"][0]
    assert last["executionFailedEventDetails"]["cause"] == STOPPED
    for name in (training, deploying):
        found = status(second, name)
        assert (found["status"], STOPPED in found["reason"]) == ("Failed", True), found
        assert (found["job"] or {}).get("name") == {training: job["TrainingJobName"]}.get(name)

    assert provision(second, request("training"), "--watch")["status"]["pipeline"]["status"] == "Succeeded"
    # a stack that was never completed is deleted first, which the refusal of the repeat says
    wait_for(lambda: second.mlops("provision", "-", given=request("deploying")).returncode == 0)
    assert second.mlops("status", deploying, "--watch").returncode == 0


def until_free(start_up: Callable[..., Up], data: Path) -> Up:
    """The next account, once the child of the killed command has given up the directory."""
    time.sleep(1)
    return start_up("--data", str(data))
