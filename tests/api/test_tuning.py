# SPDX-License-Identifier: Apache-2.0
"""A tuning pipeline from outside: every key reaches the tuning job, and its best model can be deployed."""

from __future__ import annotations

import json
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
    answer = api.provision(tuning("tuned", model_package_group_name="tuned-models"))
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
    assert (shown["kind"], shown["progress"]) == ("HyperParameterTuningJob", "training jobs: 3 completed")
    assert shown["best"] == {
        "kind": "TrainingJob",
        "name": best["TrainingJobName"],
        "hyperparameters": best["TunedHyperParameters"],
    }
    assert shown["metrics"] == {"validation:auc": best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]}
    model = f"s3://{api.assets_bucket}/tuned/output/{best['TrainingJobName']}/output/model.tar.gz"
    assert shown["artifact"] == model
    api.client("s3").head_object(Bucket=api.assets_bucket, Key=model.removeprefix(f"s3://{api.assets_bucket}/"))


def test_the_model_of_the_best_training_job_is_registered(api: Installed, tuned: dict[str, Any]) -> None:
    sagemaker = api.client("sagemaker")
    package = sagemaker.describe_model_package(ModelPackageName=tuned["job"]["registered"])
    best = sagemaker.describe_training_job(TrainingJobName=tuned["job"]["best"]["name"])
    assert package["ModelPackageArn"].endswith(":model-package/tuned-models/1")
    assert package["MetadataProperties"]["GeneratedBy"] == best["TrainingJobArn"]
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == best["ModelArtifacts"]["S3ModelArtifacts"]
    assert package["CustomerMetadataProperties"]["job"] == tuned["job"]["name"]
    metric = tuned["job"]["metrics"]["validation:auc"]
    assert float(package["CustomerMetadataProperties"]["validation:auc"]) == pytest.approx(metric)
    key = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].removeprefix(f"s3://{api.assets_bucket}/")
    statistics = json.loads(api.client("s3").get_object(Bucket=api.assets_bucket, Key=key)["Body"].read())
    assert statistics["binary_classification_metrics"]["auc"]["value"] == pytest.approx(metric)


def test_the_winner_is_deployed_by_the_pipelines_name(api: Installed, tuned: dict[str, Any]) -> None:
    body = realtime(api, "", model_name="winner", endpoint_name="winner", model_from=tuned["name"])
    del body["model_artifact_location"]
    answer = api.provision(body)
    assert answer.status == 200, answer.text
    assert answer.body["resolved"]["model_from"]["artifact"] == tuned["job"]["artifact"]


def test_every_optional_key_reaches_the_tuning_job(api: Installed, tuned: dict[str, Any]) -> None:
    key = api.client("kms").create_key()["KeyMetadata"]["Arn"]
    body = tuning(
        "every",
        training_data="tuned/train.csv",
        validation_data="tuned/validation.csv",
        job_name="my-own-tuning",
        instance_type="ml.c5.xlarge",
        instance_count="1",
        instance_volume_size=33,
        encrypt_inner_traffic=False,
        max_runtime_per_job="1200",
        max_wait_time_spot_instances=2400,
        content_type="text/csv",
        data_distribution="ShardedByS3Key",
        enable_network_isolation=True,
        kms_key_arn=key,
        tuner_configs={
            "objective_metric_name": "validation:logloss",
            "objective_type": "Minimize",
            "strategy": "Hyperband",
            "max_jobs": "2",
            "max_parallel_jobs": 1,
            "max_runtime_in_seconds": 3600,
            "random_seed": 9,
            "min_resource": 2,
            "max_resource": 50,
            "target_objective_metric_value": 100,
            "max_number_of_training_jobs_not_improving": 3,
            "complete_on_convergence": "True",
        },
        hyperparameters_ranges={
            "eta": ["continuous", [0.1, 0.5], "Logarithmic"],
            "gamma": ["continuous", [0, 1]],
            "max_depth": ["integer", [1, 5], "Linear"],
            "booster": ["categorical", ["gbtree", "dart"]],
            "tree_method": ["categorical", ["hist"]],
        },
        warm_start={"type": "TransferLearning", "parent_tuning_jobs": [tuned["outputs"]["TrainingJobName"]]},
    )
    pipeline = api.ended(api.provision(body).body["pipeline_id"], seconds=240)
    assert pipeline["status"] == "Succeeded", pipeline
    described = job(api, pipeline)
    assert described["HyperParameterTuningJobName"] == "my-own-tuning"
    assert described["HyperParameterTuningJobConfig"] == {
        "Strategy": "Hyperband",
        "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 2, "MaxResource": 50}},
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:logloss"},
        "ResourceLimits": {
            "MaxNumberOfTrainingJobs": 2,
            "MaxParallelTrainingJobs": 1,
            "MaxRuntimeInSeconds": 3600,
        },
        "ParameterRanges": {
            "ContinuousParameterRanges": [
                {"Name": "eta", "MinValue": "0.1", "MaxValue": "0.5", "ScalingType": "Logarithmic"},
                {"Name": "gamma", "MinValue": "0", "MaxValue": "1", "ScalingType": "Auto"},
            ],
            "IntegerParameterRanges": [
                {"Name": "max_depth", "MinValue": "1", "MaxValue": "5", "ScalingType": "Linear"}
            ],
            "CategoricalParameterRanges": [
                {"Name": "booster", "Values": ["gbtree", "dart"]},
                {"Name": "tree_method", "Values": ["hist"]},
            ],
        },
        "TrainingJobEarlyStoppingType": "Off",
        "TuningJobCompletionCriteria": {
            "TargetObjectiveMetricValue": 100.0,
            "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3},
            "ConvergenceDetected": {"CompleteOnConvergence": "Enabled"},
        },
        "RandomSeed": 9,
    }
    assert described["WarmStartConfig"] == {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": tuned["outputs"]["TrainingJobName"]}],
        "WarmStartType": "TransferLearning",
    }
    definition = described["TrainingJobDefinition"]
    assert definition["StaticHyperParameters"] == {
        "objective": "binary:logistic",
        "num_round": "5",
        "_tuning_objective_metric": "validation:logloss",
    }
    assert definition["ResourceConfig"] == {
        "InstanceType": "ml.c5.xlarge",
        "InstanceCount": 1,
        "VolumeSizeInGB": 33,
        "VolumeKmsKeyId": key,
    }
    assert definition["OutputDataConfig"] == {
        "S3OutputPath": f"s3://{api.assets_bucket}/every/output",
        "KmsKeyId": key,
    }
    assert definition["StoppingCondition"] == {"MaxRuntimeInSeconds": 1200, "MaxWaitTimeInSeconds": 2400}
    assert definition["EnableManagedSpotTraining"]
    assert definition["EnableNetworkIsolation"]
    assert not definition["EnableInterContainerTrafficEncryption"]
    assert [channel["ChannelName"] for channel in definition["InputDataConfig"]] == ["train", "validation"]
    for channel in definition["InputDataConfig"]:
        assert channel["ContentType"] == "text/csv"
        assert channel["DataSource"]["S3DataSource"]["S3DataDistributionType"] == "ShardedByS3Key"
    role = definition["RoleArn"].rpartition("/")[2]
    assert "TrainingRole" in role


def test_a_tuning_that_fails_says_why_in_the_pipelines_status(api: Installed) -> None:
    body = tuning("untuned", tuner_configs={**SETTINGS, "max_jobs": 1, "max_parallel_jobs": 1})
    pipeline = api.ended(api.provision(body).body["pipeline_id"])
    assert pipeline["status"] == "Failed"
    assert "untuned/train.csv" in pipeline["reason"]
    assert "1 of 1 training jobs failed" in pipeline["reason"]
    assert pipeline["job"]["progress"] == "training jobs: 1 non retryable error"
    assert "best" not in pipeline["job"]
