# SPDX-License-Identifier: Apache-2.0
"""SageMaker's optimized integrations with Step Functions."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from mlops.local.kit.errors import Caller
from mlops.local.ministack import stepfunctions
from mlops.local.settings import TIMING
from mlops.local.stepfunctions.tasks import TaskFailed, sdk_call, task

_UNMODELLED = "AmazonSageMakerException"


@task("sagemaker:createTrainingJob")
def create_training_job(arguments: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return sdk_call("sagemaker", "CreateTrainingJob", arguments, caller, _UNMODELLED)


@task("sagemaker:createTrainingJob", sync=True)
def run_training_job(arguments: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Wait for the job; what becomes of it is its description, as output or as the failure's cause.

    Stopping the execution stops the job.
    """
    create_training_job(arguments, caller)
    name = {"TrainingJobName": arguments["TrainingJobName"]}
    stopped = False
    while True:
        if stepfunctions.execution_stopped() and not stopped:
            stopped = True
            with contextlib.suppress(TaskFailed):  # the job may have ended in this moment
                sdk_call("sagemaker", "StopTrainingJob", name, caller, _UNMODELLED)
        job = sdk_call("sagemaker", "DescribeTrainingJob", name, caller, _UNMODELLED)
        if job["TrainingJobStatus"] == "Completed":
            return job
        if job["TrainingJobStatus"] in ("Failed", "Stopped"):
            raise TaskFailed("States.TaskFailed", json.dumps(job))
        time.sleep(TIMING.poll)
