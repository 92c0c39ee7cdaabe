# SPDX-License-Identifier: Apache-2.0
"""What a tuning job does: it starts training jobs, a few at a time, looks at what they report, and ends them.

Each trial is a training job like any other, created with the definition's role. How early stopping decides:
https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html
"""

from __future__ import annotations

import os
import statistics
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.intake.ranges import combinations

from mlops.local.services.sagemaker import jobs, tuning_checks, tuning_records
from mlops.local.services.sagemaker.jobs import JobFailed, JobStopped, Run
from mlops.local.services.sagemaker.service import now
from mlops.local.services.sagemaker.tuning_records import TRAINING
from mlops.local.services.sagemaker.tuning_search import Search, Trial
from mlops.local.settings import TIMING

_AT_ONCE = max(2, os.cpu_count() or 1)  # training jobs of one tuning job on this machine
_FAILURES = 5  # training jobs without an objective, with none that has one, after which a tuning job fails
_IMPROVEMENT = 0.01  # of the best objective: less counts as none
_CONVERGED_AFTER = 10  # training jobs without an improvement
_GRACE = 60.0  # seconds that stopped training jobs have to end


@dataclass
class _Running:
    """A trial that runs: what the search knows of it, and its training job."""

    trial: Trial
    run: Run


def tune(run: Run) -> None:
    """Run a tuning job to its end; JobFailed, JobStopped and the errors of AWS's APIs end it otherwise."""
    run.wait(TIMING.training_starting)
    _Tuning(run).work()


@dataclass
class _Tuning:
    run: Run
    running: list[_Running] = field(default_factory=list)
    histories: list[Sequence[float]] = field(default_factory=list)  # the objectives of completed trials, step by step
    ended: list[str] = field(default_factory=list)  # names of training jobs
    started: int = 0
    stale: int = 0  # training jobs since the last improvement
    best: float | None = None

    def __post_init__(self) -> None:
        job = self.job = self.run.job
        config = self.config = job["HyperParameterTuningJobConfig"]
        limits: Mapping[str, int] = config["ResourceLimits"]
        goal = tuning_records.goal(job)
        self.metric, self.maximize = goal["MetricName"], goal["Type"] == "Maximize"
        static = {**job["TrainingJobDefinition"].get("StaticHyperParameters", {})}
        # As SageMaker does: the container learns what it is tuned by, and the description says so.
        job["TrainingJobDefinition"] = {
            **job["TrainingJobDefinition"],
            "StaticHyperParameters": {**static, tuning_checks.OBJECTIVE: self.metric},
        }
        space = tuning_checks.space(config)
        self.jobs = limits.get("MaxNumberOfTrainingJobs") or combinations(space) or 1
        self.at_once = min(limits["MaxParallelTrainingJobs"], _AT_ONCE)
        self.deadline = time.monotonic() + limits.get("MaxRuntimeInSeconds", float("inf"))
        fewest, most = tuning_checks.resources(config, static)
        self.search = Search(
            config["Strategy"],
            space,
            self.maximize,
            self.jobs,
            config.get("RandomSeed"),
            (fewest, most) if config["Strategy"] == "Hyperband" and most else None,
        )
        self._learn()

    def _learn(self) -> None:
        """Begin with what the parents of a warm start found."""
        for name in tuning_checks.parents(self.job):
            for trial in tuning_records.trials(name):
                if trial["TrainingJobStatus"] == "Completed":
                    value = tuning_records.objective(trial, self.job)
                    if value is not None:
                        self.search.learn(trial["HyperParameters"], value)

    # --- the loop ----------------------------------------------------------------------------------------------

    def work(self) -> None:
        try:
            while self.started < self.jobs or self.running:
                while self.started < self.jobs and len(self.running) < self.at_once:
                    self._start()
                self.run.wait(TIMING.poll)
                self._look()
                if self._is_complete():
                    break
        finally:
            self._stop_all()
            tuning_records.refresh(self.job)
        self._fail_without_objective()

    def _start(self) -> None:
        self.started += 1
        trial = self.search.ask()
        name = self.job["HyperParameterTuningJobName"]
        job = f"{name}-{self.started:03d}-{uuid.uuid4().hex[:8]}"
        request = tuning_checks.trial_request(
            job, self.job["TrainingJobDefinition"], trial.hyperparameters, self.metric
        )
        tuning_records.keep(name, job, trial.hyperparameters)
        run = jobs.start(TRAINING, request, self.run.caller, TuningJobArn=self.run.arn)
        self.running.append(_Running(trial, run))
        tuning_records.refresh(self.job)

    def _look(self) -> None:
        for one in list(self.running):
            values = list(one.run.reported.get(self.metric, ()))
            if one.run.ended.is_set():
                self._end(one, values)
            elif one.run.is_stoppable and (self.search.report(one.trial, values) or self._is_hopeless(values)):
                one.run.stop()

    def _end(self, one: _Running, values: Sequence[float]) -> None:
        self.running.remove(one)
        self.ended.append(one.run.job["TrainingJobName"])
        succeeded = tuning_records.objective_status(one.run.job, self.job) == "Succeeded"
        value = tuning_records.objective(one.run.job, self.job) if succeeded else None
        self.search.tell(one.trial, value)
        if one.run.job["TrainingJobStatus"] == "Completed" and values:
            self.histories.append(values)
        self._note_improvement(value)
        tuning_records.refresh(self.job)

    def _is_hopeless(self, values: Sequence[float]) -> bool:
        """Whether a trial is worse than the median of what completed ones had on average up to the same step."""
        if self.config.get("TrainingJobEarlyStoppingType", "Off") == "Off" or not values or not self.histories:
            return False
        averages = [statistics.fmean(history[: len(values)]) for history in self.histories]
        median = statistics.median(averages)
        return values[-1] < median if self.maximize else values[-1] > median

    def _stop_all(self) -> None:
        for one in self.running:
            if one.run.is_stoppable:
                one.run.stop()
        for one in self.running:
            one.run.ended.wait(_GRACE)

    # --- when it is over ---------------------------------------------------------------------------------------

    def _note_improvement(self, value: float | None) -> None:
        if value is None:
            return
        better = self.best is None or (
            (value - self.best if self.maximize else self.best - value) >= _IMPROVEMENT * abs(self.best)
        )
        self.stale = 0 if better else self.stale + 1
        if self.best is None or (value > self.best if self.maximize else value < self.best):
            self.best = value
        details = self.job.get("TuningJobCompletionDetails", {})
        self.job["TuningJobCompletionDetails"] = {**details, "NumberOfTrainingJobsObjectiveNotImproving": self.stale}

    def _is_complete(self) -> bool:
        """Whether a criterion for the end is met.

        https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-progress.html
        """
        if time.monotonic() > self.deadline:
            return True
        if self.best is None:
            return len(self.ended) >= _FAILURES
        criteria: Mapping[str, Any] = self.config.get("TuningJobCompletionCriteria", {})
        target = criteria.get("TargetObjectiveMetricValue")
        if target is not None and (self.best >= target if self.maximize else self.best <= target):
            return True
        most = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
        if most is not None and self.stale >= most:
            return True
        watched = criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled"
        if watched and self.stale >= _CONVERGED_AFTER:
            details = self.job["TuningJobCompletionDetails"]
            self.job["TuningJobCompletionDetails"] = {**details, "ConvergenceDetectedTime": now()}
            return True
        return False

    def _fail_without_objective(self) -> None:
        """A tuning job of which no training job has an objective has failed."""
        found = tuning_records.trials(self.job["HyperParameterTuningJobName"])
        if tuning_records.objectives(found, self.job):
            return
        failed = [one for one in found if one["TrainingJobStatus"] == "Failed"]
        if failed:
            first = failed[0]
            raise JobFailed(
                f"{len(failed)} of {len(found)} training jobs failed, and none has the objective metric. "
                f"{first['TrainingJobName']}: {first['FailureReason']}"
            )
        if any(one["TrainingJobStatus"] == "Completed" for one in found):
            raise JobFailed(
                f"No objective metrics found after running {len(found)} training jobs. Please ensure that the custom "
                "algorithm is emitting the objective metric as defined by the regular expression provided."
            )
        raise JobStopped("Stopped")
