# SPDX-License-Identifier: Apache-2.0
"""Tuning jobs: their life, and the list of the training jobs they started.

tuning_checks.py says what AWS refuses, tuning_run.py what a tuning job does, tuning_search.py what it tries, and
tuning_records.py what its description says of its training jobs.
"""

from __future__ import annotations

from typing import Any

from chalicelib.job_kinds import JOB_KINDS

from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import listing, tuning_checks, tuning_records, tuning_run
from mlops.local.services.sagemaker.jobs import Run, job_type
from mlops.local.services.sagemaker.service import invalid, sagemaker, store
from mlops.local.state.store import Record

_KIND = JOB_KINDS["HyperParameterTuningJob"]


@job_type
class HyperParameterTuningJob:
    kind = _KIND
    event = "HyperParameter Tuning Job"
    default_order = "Ascending"
    messages: dict[str, str] = {}  # noqa: RUF012  a tuning job has no secondary statuses

    def check(self, request: dict[str, Any], caller: Caller) -> None:
        tuning_checks.check(request, caller)

    def record(self, request: dict[str, Any]) -> Record:
        made: Record = {**request}
        tuning_records.refresh(made)
        return {member: value for member, value in made.items() if member not in request}

    def run(self, run: Run) -> None:
        tuning_run.tune(run)

    def ended(self, job: Record) -> None:
        tuning_records.refresh(job)


@sagemaker.operation("ListTrainingJobsForHyperParameterTuningJob")
def list_training_jobs(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = request[_KIND.name]
    job = store.table(_KIND.key).get(name)
    if job is None:
        raise invalid(f"Amazon SageMaker can't find a tuning job called {name}")
    found = [tuning_records.summary(trial, job) for trial in tuning_records.trials(name)]
    if "StatusEquals" in request:
        found = [one for one in found if one["TrainingJobStatus"] == request["StatusEquals"]]
    sort = request.get("SortBy", "Name")
    if sort == "FinalObjectiveMetricValue":  # those without one are not returned
        found = [one for one in found if _METRIC in one]
        found.sort(key=lambda one: one[_METRIC]["Value"])
    else:
        member = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}.get(sort, sort)
        found.sort(key=lambda one: one[member])
    if request.get("SortOrder", "Ascending") == "Descending":
        found.reverse()
    return listing.paged("TrainingJobSummaries", found, request)


_METRIC = "FinalHyperParameterTuningJobObjectiveMetric"
