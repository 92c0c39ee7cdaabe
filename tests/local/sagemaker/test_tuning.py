# SPDX-License-Identifier: Apache-2.0
"""Tuning jobs, from outside: which training jobs they start, which is the best, and how they end."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError

from tests.support.lab import LONG, UNKNOWN_IMAGE, Lab, csv, labels, rows
from tests.support.laptop import Account, Start
from tests.support.naming import unique
from tests.support.waiting import wait_for

FEATURES, OTHERS = rows(80), rows(60, seed=8)
LABELS = labels(FEATURES)
ETA = {"Name": "eta", "MinValue": "0.1", "MaxValue": "0.9", "ScalingType": "Linear"}
DEPTH = {"Name": "max_depth", "MinValue": "1", "MaxValue": "6"}


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    lab = Lab(account)
    lab.put("data/train.csv", csv(FEATURES, LABELS))
    noisy = labels(OTHERS)
    noisy[::5] = 1 - noisy[::5]
    lab.put("data/validation.csv", csv(OTHERS, noisy))
    return lab


def tuning_request(
    lab: Lab,
    jobs: int | None = 3,
    parallel: int = 2,
    static: dict[str, str] | None = None,
    definition: dict[str, Any] | None = None,
    **config: Any,
) -> dict[str, Any]:
    """A CreateHyperParameterTuningJob request."""
    train = lab.training_request(f"s3://{lab.bucket}/data/train.csv", f"s3://{lab.bucket}/data/validation.csv")
    members = ("RoleArn", "AlgorithmSpecification", "InputDataConfig", "OutputDataConfig", "ResourceConfig")
    hyperparameters = {"objective": "binary:logistic", "num_round": "5", **(static or {})}
    limits = {"MaxParallelTrainingJobs": parallel, **({"MaxNumberOfTrainingJobs": jobs} if jobs else {})}
    return {
        "HyperParameterTuningJobName": unique("tuning")[:32],
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:logloss"},
            "ResourceLimits": limits,
            "ParameterRanges": {"ContinuousParameterRanges": [ETA], "IntegerParameterRanges": [DEPTH]},
            "RandomSeed": 7,
            **config,
        },
        "TrainingJobDefinition": {
            **{member: train[member] for member in members},
            "StoppingCondition": train["StoppingCondition"],
            "StaticHyperParameters": hyperparameters,
            **(definition or {}),
        },
    }


def tuned(lab: Lab, request: dict[str, Any]) -> dict[str, Any]:
    """A tuning job at its end."""
    lab.sagemaker.create_hyper_parameter_tuning_job(**request)
    return ended(lab, request)


def ended(lab: Lab, request: dict[str, Any]) -> dict[str, Any]:
    def job() -> dict[str, Any] | None:
        found = described(lab, request)
        return found if found["HyperParameterTuningJobStatus"] in ("Completed", "Failed", "Stopped") else None

    answer: dict[str, Any] = wait_for(job, seconds=180)
    return answer


def described(lab: Lab, request: dict[str, Any]) -> Any:
    name = request["HyperParameterTuningJobName"]
    return lab.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def trials(lab: Lab, request: dict[str, Any], **how: Any) -> Any:
    name = request["HyperParameterTuningJobName"]
    return lab.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, MaxResults=100, **how
    )["TrainingJobSummaries"]


def found_in(lab: Lab, request: dict[str, Any]) -> list[dict[str, str]]:
    return [one["TunedHyperParameters"] for one in trials(lab, request)]


def objective(summary: dict[str, Any]) -> float:
    value: float = summary["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    return value


@pytest.fixture(scope="module")
def request_made(lab: Lab) -> dict[str, Any]:
    return tuning_request(lab, Strategy="Bayesian", jobs=3)


@pytest.fixture(scope="module")
def completed(lab: Lab, request_made: dict[str, Any]) -> dict[str, Any]:
    return tuned(lab, request_made)


def test_as_many_training_jobs_as_asked_and_the_best_is_the_best(
    lab: Lab, request_made: dict[str, Any], completed: dict[str, Any]
) -> None:
    assert completed["HyperParameterTuningJobStatus"] == "Completed"
    made = trials(lab, request_made)
    assert len(made) == 3
    assert completed["TrainingJobStatusCounters"] == {
        "Completed": 3, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0,
    }  # fmt: skip
    assert completed["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}
    best = completed["BestTrainingJob"]
    assert best == min(made, key=objective)
    assert "OverallBestTrainingJob" not in completed
    name = request_made["HyperParameterTuningJobName"]
    assert [one["TrainingJobName"].rsplit("-", 1)[0] for one in made] == [f"{name}-{n:03d}" for n in range(1, 4)]
    for one in made:
        job = lab.sagemaker.describe_training_job(TrainingJobName=one["TrainingJobName"])
        assert job["TuningJobArn"] == completed["HyperParameterTuningJobArn"]
        static = {"objective": "binary:logistic", "num_round": "5", "_tuning_objective_metric": "validation:logloss"}
        assert job["HyperParameters"] == {**static, **one["TunedHyperParameters"]}
        metrics = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
        assert metrics["validation:logloss"] == objective(one)
        assert 0.1 <= float(one["TunedHyperParameters"]["eta"]) <= 0.9
        assert int(one["TunedHyperParameters"]["max_depth"]) in range(1, 7)


def test_the_best_model_is_the_one_xgboost_trains_with_those_hyperparameters(
    lab: Lab, completed: dict[str, Any]
) -> None:
    best = completed["BestTrainingJob"]
    name, found = best["TrainingJobName"], best["TunedHyperParameters"]
    theirs = xgboost.train(
        {
            "objective": "binary:logistic",
            "base_score": 0.5,
            "tree_method": "exact",
            "eta": float(found["eta"]),
            "max_depth": int(found["max_depth"]),
        },
        xgboost.DMatrix(FEATURES, label=LABELS),
        5,
    )
    ours = lab.booster(f"s3://{lab.bucket}/output/{name}/output/model.tar.gz")
    unseen = xgboost.DMatrix(rows(seed=9))
    assert np.array_equal(ours.predict(unseen), theirs.predict(unseen))


def test_lists_sort_filter_and_page(lab: Lab, request_made: dict[str, Any], completed: dict[str, Any]) -> None:
    made = trials(lab, request_made, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert list(map(objective, made)) == sorted(map(objective, made), reverse=True)
    assert trials(lab, request_made, StatusEquals="Failed") == []
    name = request_made["HyperParameterTuningJobName"]
    pages = lab.sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["TrainingJobSummaries"]) for page in pages] == [2, 1]
    (listed,) = lab.sagemaker.list_hyper_parameter_tuning_jobs(NameContains=name)["HyperParameterTuningJobSummaries"]
    assert (listed["Strategy"], listed["ResourceLimits"]["MaxNumberOfTrainingJobs"]) == ("Bayesian", 3)
    every = lab.sagemaker.list_training_jobs(NameContains=name)["TrainingJobSummaries"]
    assert {one["TrainingJobName"] for one in every} == {one["TrainingJobName"] for one in made}


def test_a_seed_gives_the_same_training_jobs_one_after_the_other(lab: Lab) -> None:
    requests = [tuning_request(lab, jobs=jobs, parallel=1, RandomSeed=seed) for seed, jobs in ((3, 2), (3, 2), (4, 1))]
    for request in requests:
        lab.sagemaker.create_hyper_parameter_tuning_job(**request)
    for request in requests:
        assert ended(lab, request)["HyperParameterTuningJobStatus"] == "Completed"
    first, again, other = (found_in(lab, request) for request in requests)
    assert first == again
    assert first[0] not in other
    earlier, later = trials(lab, requests[0])
    assert later["CreationTime"] >= earlier["TrainingEndTime"]


def test_instances_may_be_listed_as_the_sdk_lists_them(lab: Lab) -> None:
    listed = {"InstanceConfigs": [{"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}]}
    request = tuning_request(lab, jobs=1, parallel=1)
    definition = request["TrainingJobDefinition"]
    both = {**request, "TrainingJobDefinition": {**definition, "HyperParameterTuningResourceConfig": listed}}
    with pytest.raises(ClientError, match="not both"):
        lab.sagemaker.create_hyper_parameter_tuning_job(**both)
    del both["TrainingJobDefinition"]["ResourceConfig"]
    assert tuned(lab, both)["HyperParameterTuningJobStatus"] == "Completed"
    [trial] = trials(lab, both)
    described = lab.sagemaker.describe_training_job(TrainingJobName=trial["TrainingJobName"])
    assert described["ResourceConfig"] == listed["InstanceConfigs"][0]


def test_training_jobs_run_at_the_same_time_where_asked_for(lab: Lab) -> None:
    request = tuning_request(lab, jobs=2, parallel=2, static={"num_round": "300"})
    tuned(lab, request)
    first, second = trials(lab, request)
    assert second["CreationTime"] < first["TrainingEndTime"]


def test_a_grid_trains_every_combination_once(lab: Lab) -> None:
    values = {"max_depth": ["2", "3"], "booster": ["gbtree", "dart"]}
    ranges = {"CategoricalParameterRanges": [{"Name": name, "Values": given} for name, given in values.items()]}
    request = tuning_request(lab, jobs=None, Strategy="Grid", ParameterRanges=ranges)
    assert tuned(lab, request)["HyperParameterTuningJobStatus"] == "Completed"
    tried = [tuple(one[name] for name in values) for one in found_in(lab, request)]
    assert sorted(tried) == sorted(itertools.product(*values.values()))


def test_early_stopping_stops_a_training_job_that_is_worse_than_the_median(lab: Lab) -> None:
    """The second trial trains until it is stopped: the noise that it learns makes it worse and worse."""
    rounds = {"CategoricalParameterRanges": [{"Name": "num_round", "Values": ["5", LONG["num_round"]]}]}
    request = tuning_request(
        lab, jobs=2, parallel=1, Strategy="Grid", ParameterRanges=rounds, TrainingJobEarlyStoppingType="Auto"
    )
    static = request["TrainingJobDefinition"]["StaticHyperParameters"]
    del static["num_round"]
    job = tuned(lab, request)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert (job["TrainingJobStatusCounters"]["Completed"], job["TrainingJobStatusCounters"]["Stopped"]) == (1, 1)
    first, second = trials(lab, request)
    assert (first["TrainingJobStatus"], second["TrainingJobStatus"]) == ("Completed", "Stopped")
    assert second["ObjectiveStatus"] == "Succeeded"
    assert objective(second) > objective(first)
    assert job["BestTrainingJob"]["TrainingJobName"] == first["TrainingJobName"]


def test_hyperband_ends_training_jobs_at_their_resource(lab: Lab) -> None:
    request = tuning_request(
        lab,
        jobs=1,
        parallel=1,
        static=LONG,
        Strategy="Hyperband",
        StrategyConfig={"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 20}},
    )
    job = tuned(lab, request)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert [one["TrainingJobStatus"] for one in trials(lab, request)] == ["Stopped"]
    assert job["ObjectiveStatusCounters"]["Succeeded"] == 1
    assert "BestTrainingJob" not in job


def test_stopping_a_tuning_job_stops_its_training_jobs(lab: Lab) -> None:
    request = tuning_request(lab, jobs=3, parallel=2, static=LONG)
    lab.sagemaker.create_hyper_parameter_tuning_job(**request)
    wait_for(lambda: described(lab, request)["TrainingJobStatusCounters"]["InProgress"] == 2)
    assert described(lab, request)["ObjectiveStatusCounters"]["Pending"] == 2
    lab.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=request["HyperParameterTuningJobName"])
    job = ended(lab, request)
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert [one["TrainingJobStatus"] for one in trials(lab, request)] == ["Stopped", "Stopped"]
    assert job["TrainingJobStatusCounters"]["Stopped"] == 2


def test_tuning_goes_on_after_a_failed_training_job(lab: Lab) -> None:
    values = ["multi:softmax", "binary:logistic"]  # the first one requires num_class
    ranges = {"CategoricalParameterRanges": [{"Name": "objective", "Values": values}]}
    request = tuning_request(lab, jobs=None, parallel=1, Strategy="Grid", ParameterRanges=ranges)
    del request["TrainingJobDefinition"]["StaticHyperParameters"]["objective"]
    job = tuned(lab, request)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 1, "Pending": 0, "Failed": 1}
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"objective": "binary:logistic"}
    failed = trials(lab, request)[0]
    assert "num_class" in failed["FailureReason"]


def test_a_tuning_job_fails_if_no_training_job_has_the_objective(lab: Lab) -> None:
    algorithm = {"TrainingImage": UNKNOWN_IMAGE, "TrainingInputMode": "File"}
    request = tuning_request(lab, jobs=2, definition={"AlgorithmSpecification": algorithm})
    job = tuned(lab, request)
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("2 of 2 training jobs failed")
    assert UNKNOWN_IMAGE in job["FailureReason"]
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == 2


def test_a_tuning_job_completes_when_its_target_is_reached(lab: Lab) -> None:
    request = tuning_request(lab, jobs=9, parallel=1, TuningJobCompletionCriteria={"TargetObjectiveMetricValue": 100.0})
    job = tuned(lab, request)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == 1


def test_a_warm_start_compares_with_its_parents(
    lab: Lab, request_made: dict[str, Any], completed: dict[str, Any]
) -> None:
    parent = request_made["HyperParameterTuningJobName"]
    warm_start = {
        "WarmStartType": "IdenticalDataAndAlgorithm",
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent}],
    }
    request = {**tuning_request(lab, jobs=1, parallel=1), "WarmStartConfig": warm_start}
    job = tuned(lab, request)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    overall = job["OverallBestTrainingJob"]
    assert objective(overall) == min(map(objective, [job["BestTrainingJob"], completed["BestTrainingJob"]]))
    assert overall["TrainingJobName"].startswith(overall["TuningJobName"])

    other = {"HyperParameterTuningJobName": "no-such-job"}
    assert "Could not find" in refusal(
        lab, {**request, "WarmStartConfig": {**warm_start, "ParentHyperParameterTuningJobs": [other]}}
    )
    metric = {"Type": "Maximize", "MetricName": "validation:auc"}
    config = {**request["HyperParameterTuningJobConfig"], "HyperParameterTuningJobObjective": metric}
    assert "objective metric must be" in refusal(lab, {**request, "HyperParameterTuningJobConfig": config})
    definition = request["TrainingJobDefinition"]
    static = {**definition["StaticHyperParameters"], "seed": "1"}
    more = {**request, "TrainingJobDefinition": {**definition, "StaticHyperParameters": static}}
    assert "static and tuned hyperparameters" in refusal(lab, more)
    again = {**warm_start, "WarmStartType": "TransferLearning"}
    assert "OverallBestTrainingJob" not in tuned(
        lab, {**more, "HyperParameterTuningJobName": unique("tuning")[:32], "WarmStartConfig": again}
    )


def refusal(lab: Lab, request: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as refused:
        lab.sagemaker.create_hyper_parameter_tuning_job(
            **{**request, "HyperParameterTuningJobName": unique("refused")[:32]}
        )
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    message: str = refused.value.response["Error"]["Message"]
    return message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"ParameterRanges": {}}, "between 1 and 30 hyperparameters"),
        ({"ParameterRanges": {"IntegerParameterRanges": [{**DEPTH, "MinValue": "7"}]}}, "greater than the highest"),
        ({"ParameterRanges": {"ContinuousParameterRanges": [{**ETA, "MinValue": "a"}]}}, "'a' is not a number"),
        ({"ParameterRanges": {"IntegerParameterRanges": [DEPTH, DEPTH]}}, "has two ranges"),
        (
            {"ParameterRanges": {"IntegerParameterRanges": [{**DEPTH, "ScalingType": "ReverseLogarithmic"}]}},
            "cannot be used with an integer range",
        ),
        ({"ParameterRanges": {"AutoParameters": [{"Name": "eta", "ValueHint": "1"}]}}, "does not support Auto"),
        (
            {"ParameterRanges": {"CategoricalParameterRanges": [{"Name": "objective", "Values": ["x"]}]}},
            "[objective] is in both ParameterRanges and StaticHyperParameters",
        ),
        ({"ParameterRanges": {"IntegerParameterRanges": [{**DEPTH, "MinValue": "5"}]}}, "enough combinations"),
        ({"ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 2}}, "[2] must not be greater"),
        ({"ResourceLimits": {"MaxParallelTrainingJobs": 2}}, "MaxNumberOfTrainingJobs is required"),
        ({"ResourceLimits": {"MaxNumberOfTrainingJobs": 10_001, "MaxParallelTrainingJobs": 2}}, "exceeds the limit"),
        ({"Strategy": "Grid"}, "takes categorical ranges only"),
        ({"Strategy": "Hyperband"}, "MaxResource of Hyperband is missing"),
        ({"Strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto"}, "must be Off"),
        (
            {
                "Strategy": "Hyperband",
                "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 3, "MaxResource": 2}},
            },
            "MinResource [3] must not be greater",
        ),
        ({"StrategyConfig": {"HyperbandStrategyConfig": {"MaxResource": 2}}}, "cannot be used with the strategy"),
    ],
)
def test_what_aws_refuses_of_a_tuning_job(lab: Lab, config: dict[str, Any], message: str) -> None:
    assert message in refusal(lab, tuning_request(lab, **config))


def test_what_aws_refuses_of_a_training_job_is_refused_of_the_definition(lab: Lab) -> None:
    algorithm = {"TrainingInputMode": "File"}
    wrong = tuning_request(lab, definition={"AlgorithmSpecification": algorithm})
    assert "either a TrainingImage or an AlgorithmName" in refusal(lab, wrong)
    request = tuning_request(lab)
    del request["TrainingJobDefinition"]["ResourceConfig"]
    assert "resourceConfig" in refusal(lab, request)
    assert "TrainingJobDefinition" in refusal(
        lab, {member: value for member, value in request.items() if member != "TrainingJobDefinition"}
    )
    assert "Could not assume role" in refusal(
        lab, tuning_request(lab, definition={"RoleArn": "arn:aws:iam::123456789012:role/nobody"})
    )


def test_a_killed_account_leaves_a_failed_tuning_job(start: Start, tmp_path: Path) -> None:
    lab = Lab(start("--data", str(tmp_path)))
    lab.put("data/train.csv", csv(FEATURES, LABELS))
    lab.put("data/validation.csv", csv(FEATURES, LABELS))
    request = tuning_request(lab, jobs=3, static=LONG)
    lab.sagemaker.create_hyper_parameter_tuning_job(**request)
    wait_for(lambda: len(trials(lab, request)) == 2)
    wait_for(lambda: list(tmp_path.iterdir()))
    time.sleep(1.5)  # a kill loses at most a second
    lab.account.process.kill()
    lab.account.process.wait()

    sagemaker = start("--data", str(tmp_path)).client("sagemaker")
    name = request["HyperParameterTuningJobName"]
    job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert "was stopped while this was running" in job["FailureReason"]
    assert job["TrainingJobStatusCounters"]["RetryableError"] == 2
    assert job["TrainingJobStatusCounters"]["InProgress"] == 0
