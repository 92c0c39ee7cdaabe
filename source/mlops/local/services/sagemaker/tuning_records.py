# SPDX-License-Identifier: Apache-2.0
"""The training jobs of a tuning job: what each was given, how it is summarized, counted, and which one is the best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.job_kinds import COMPLETED, JOB_KINDS, RUNNING

from mlops.local.services.sagemaker.service import store
from mlops.local.state.store import Record

TRAINING = JOB_KINDS["TrainingJob"]
training_jobs = store.table(TRAINING.key)
_trials = store.table("TuningTrial")  # by the training job's name: its tuning job, and what was tuned
_RETRYABLE = "InternalServerError"
_COPIED = (
    "TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime", "TrainingJobStatus",
    "FailureReason",
)  # fmt: skip
_COUNTERS = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
_OBJECTIVES = ("Succeeded", "Pending", "Failed")


def keep(tuning_job: str, training_job: str, tuned: Mapping[str, str]) -> None:
    """Remember that a training job is one of a tuning job's, and the hyperparameters found for it."""
    _trials[training_job] = {"TuningJob": tuning_job, "Tuned": dict(tuned)}


def trials(tuning_job: str) -> list[Record]:
    """The training jobs of a tuning job, in the order of their creation."""
    names = sorted(name for name, trial in _trials.items() if trial["TuningJob"] == tuning_job)
    return [training_jobs[name] for name in names if name in training_jobs]


def objective(trial: Record, tuning_job: Record) -> float | None:
    """The final value of a training job's objective metric, if it reported one."""
    wanted = goal(tuning_job)["MetricName"]
    return next((one["Value"] for one in trial.get("FinalMetricDataList", ()) if one["MetricName"] == wanted), None)


def goal(tuning_job: Record) -> Mapping[str, str]:
    """What a tuning job optimizes: Type and MetricName."""
    found: Mapping[str, str] = tuning_job["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    return found


def objective_status(trial: Record, tuning_job: Record) -> str:
    """Pending while it runs; Succeeded if it reported the objective, for a job that was stopped early, too."""
    if trial["TrainingJobStatus"] in RUNNING:
        return "Pending"
    failed = trial["TrainingJobStatus"] == "Failed" or objective(trial, tuning_job) is None
    return "Failed" if failed else "Succeeded"


def summary(trial: Record, tuning_job: Record) -> dict[str, Any]:
    """HyperParameterTrainingJobSummary."""
    value, status = objective(trial, tuning_job), objective_status(trial, tuning_job)
    made = {member: trial[member] for member in _COPIED if member in trial}
    made["TunedHyperParameters"] = _trials[trial["TrainingJobName"]]["Tuned"]
    made["ObjectiveStatus"] = status
    if status == "Succeeded":
        made["FinalHyperParameterTuningJobObjectiveMetric"] = {**goal(tuning_job), "Value": value}
    return made


def refresh(tuning_job: Record) -> None:
    """Bring a tuning job's counters, best training job and consumed time up to its training jobs."""
    found = trials(tuning_job["HyperParameterTuningJobName"])
    counted = dict.fromkeys(_COUNTERS, 0)
    evaluated = dict.fromkeys(_OBJECTIVES, 0)
    for trial in found:
        counted[_counter(trial)] += 1
        evaluated[objective_status(trial, tuning_job)] += 1
    tuning_job["TrainingJobStatusCounters"] = counted
    tuning_job["ObjectiveStatusCounters"] = evaluated
    seconds = sum(trial.get("TrainingTimeInSeconds", 0) for trial in found)
    tuning_job["ConsumedResources"] = {"RuntimeInSeconds": seconds}
    if winner := best(found, tuning_job):
        tuning_job["BestTrainingJob"] = summary(winner, tuning_job)
    _refresh_overall(tuning_job)


def _refresh_overall(tuning_job: Record) -> None:
    """The best of a warm start with the same data and algorithm, its parents' training jobs among them."""
    warm_start = tuning_job.get("WarmStartConfig", {})
    if warm_start.get("WarmStartType") != "IdenticalDataAndAlgorithm":
        return
    parents = [one["HyperParameterTuningJobName"] for one in warm_start["ParentHyperParameterTuningJobs"]]
    owners = {
        trial["TrainingJobName"]: (trial, name)
        for name in (*parents, tuning_job["HyperParameterTuningJobName"])
        for trial in trials(name)
    }
    if winner := best([trial for trial, _ in owners.values()], tuning_job):
        owner = owners[winner["TrainingJobName"]][1]
        tuning_job["OverallBestTrainingJob"] = {**summary(winner, tuning_job), "TuningJobName": owner}


def best(found: Iterable[Record], tuning_job: Record) -> Record | None:
    """The completed training job with the best objective; of equal ones the first."""
    values = [(objective(one, tuning_job), one) for one in found if one["TrainingJobStatus"] == COMPLETED]
    usable = [(value, one) for value, one in values if value is not None]
    sign = 1 if goal(tuning_job)["Type"] == "Maximize" else -1
    return max(usable, key=lambda pair: sign * pair[0])[1] if usable else None


def objectives(found: Sequence[Record], tuning_job: Record) -> list[float]:
    """The objectives of those training jobs that have ended with one."""
    ended = [one for one in found if objective_status(one, tuning_job) == "Succeeded"]
    return [value for one in ended if (value := objective(one, tuning_job)) is not None]


def _counter(trial: Record) -> str:
    status = trial["TrainingJobStatus"]
    if status in RUNNING:
        return "InProgress"
    if status == "Failed":
        retryable = str(trial.get("FailureReason", "")).startswith(_RETRYABLE)
        return "RetryableError" if retryable else "NonRetryableError"
    return str(status)
