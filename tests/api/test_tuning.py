# SPDX-License-Identifier: Apache-2.0
"""A tuning pipeline from outside: every key reaches the tuning job, and its best model can be deployed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, csv, realtime, training

SETTINGS = {"objective_metric_name": "validation:auc", "max_jobs": 3, "max_parallel_jobs": 2, "random_seed": 5}
RANGES = {"eta": ["continuous", [0.1, 0.5]], "max_depth": ["integer", [1, 5]]}


def tuning(name: str, **changes: Any) -> dict[str, Any]:
    return {
        **training(name),
        "pipeline_type": "model_tuner_builtin",
        "algo_hyperparameters": {"objective": "binary:logistic", "num_round": 5},
        "tuner_configs": SETTINGS,
        "hyperparameters_ranges": RANGES,
        **changes,
    }


@pytest.fixture(scope="module")
def tuned(api: Installed) -> dict[str, Any]:
    api.put("tuned/train.csv", csv(ROWS[:100], LABELS[:100]))
    api.put("tuned/validation.csv", csv(ROWS[300:], LABELS[300:]))
    answer = api.provision(tuning("tuned"))
    assert answer.status == 200, answer.text
    pipeline: dict[str, Any] = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    return pipeline


def job(api: Installed, pipeline: dict[str, Any]) -> Any:
    name = pipeline["outputs"]["TrainingJobName"]
    return api.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def test_the_status_has_the_best_training_job_its_metric_and_its_model(api: Installed, tuned: dict[str, Any]) -> None:
    described = job(api, tuned)
    best = described["BestTrainingJob"]
    shown = tuned["job"]
    assert (shown["kind"], shown["progress"]) == ("HyperParameterTuningJob", "3 completed")
    assert shown["best"] == {
        "kind": "TrainingJob",
        "name": best["TrainingJobName"],
        "hyperparameters": best["TunedHyperParameters"],
    }
    assert shown["metrics"] == {"validation:auc": best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]}
    model = f"s3://{api.assets_bucket}/tuned/output/{best['TrainingJobName']}/output/model.tar.gz"
    assert shown["artifact"] == model
    api.client("s3").head_object(Bucket=api.assets_bucket, Key=model.removeprefix(f"s3://{api.assets_bucket}/"))


def test_the_winner_is_deployed_by_the_pipelines_name(api: Installed, tuned: dict[str, Any]) -> None:
    body = realtime(api, "", model_name="winner", endpoint_name="winner", model_from=tuned["name"])
    del body["model_artifact_location"]
    answer = api.provision(body)
    assert answer.status == 200, answer.text
    assert answer.body["resolved"]["model_from"]["artifact"] == tuned["job"]["artifact"]
