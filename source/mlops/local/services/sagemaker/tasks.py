# SPDX-License-Identifier: Apache-2.0
"""SageMaker's optimized integrations with Step Functions: every kind of job that Step Functions can wait for."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from chalicelib.job_kinds import COMPLETED, JOB_KINDS, RUNNING, JobKind

from mlops.local.kit.errors import Caller
from mlops.local.ministack import stepfunctions
from mlops.local.settings import TIMING
from mlops.local.stepfunctions.tasks import TaskFailed, sdk_call, task


def _integrate(kind: JobKind) -> None:
    name = kind.integration.removesuffix(".sync")

    @task(name)
    def create(arguments: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return _call(kind.create, arguments, caller)

    @task(name, sync=True)
    def run(arguments: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Wait for the job; what becomes of it is its description, as output or as the failure's cause.

        Stopping the execution stops the job.
        """
        create(arguments, caller)
        named = {kind.name: arguments[kind.name]}
        stopped = False
        while True:
            if stepfunctions.execution_stopped() and not stopped:
                stopped = True
                with contextlib.suppress(TaskFailed):  # the job may have ended in this moment
                    _call(kind.stop, named, caller)
            job = _call(kind.describe, named, caller)
            if job[kind.status] == COMPLETED:
                return job
            if job[kind.status] not in RUNNING:
                raise TaskFailed("States.TaskFailed", json.dumps(job))
            time.sleep(TIMING.poll)


def _call(operation: str, arguments: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return sdk_call("sagemaker", operation, arguments, caller, unmodelled="AmazonSageMakerException")


for _kind in JOB_KINDS.values():
    if _kind.events:
        _integrate(_kind)
