# SPDX-License-Identifier: Apache-2.0
"""A training pipeline from outside: what trains is what was asked for, and its status tells what it does."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, csv, job, network, training


def test_a_training_request_trains_a_model(api: Installed, trained: dict[str, Any]) -> None:
    described = job(api, trained)
    assert described["TrainingJobStatus"] == "Completed"
    assert {metric["MetricName"] for metric in described["FinalMetricDataList"]} >= {"validation:auc", "train:auc"}
    assert trained["pipeline_type"] == "model_training_builtin"
    assert [stage["status"] for stage in trained["stages"]] == ["Succeeded"] * 3
    assert "VpcConfig" not in described
    assert not described["EnableNetworkIsolation"]


def test_every_optional_key_reaches_the_training_job(api: Installed) -> None:
    api.put("keys/train.csv", csv(ROWS[:100], LABELS[:100]))
    key = api.client("kms").create_key()["KeyMetadata"]["Arn"]
    subnet, group = network(api)
    answer = api.provision(
        training(
            "keys",
            validation_data="",
            job_name="my-own-name",
            instance_type="ml.c5.xlarge",
            instance_count="1",
            instance_volume_size=33,
            encrypt_inner_traffic=False,
            max_runtime_per_job="1200",
            use_spot_instances="True",
            max_wait_time_spot_instances=2400,
            content_type="text/csv",
            data_distribution="ShardedByS3Key",
            data_input_mode="File",
            kms_key_arn=key,
            vpc_config=json.dumps({"Subnets": [subnet], "security_group_ids": [group]}),
            enable_network_isolation="True",
        )
    )
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    described = job(api, pipeline)
    assert described["TrainingJobName"] == "my-own-name"
    assert described["ResourceConfig"] == {
        "InstanceType": "ml.c5.xlarge",
        "InstanceCount": 1,
        "VolumeSizeInGB": 33,
        "VolumeKmsKeyId": key,
    }
    assert described["OutputDataConfig"]["KmsKeyId"] == key
    assert described["StoppingCondition"] == {"MaxRuntimeInSeconds": 1200, "MaxWaitTimeInSeconds": 2400}
    assert described["EnableManagedSpotTraining"]
    assert not described["EnableInterContainerTrafficEncryption"]
    assert described["VpcConfig"] == {"Subnets": [subnet], "SecurityGroupIds": [group]}
    assert described["EnableNetworkIsolation"]
    (channel,) = described["InputDataConfig"]
    assert channel["ContentType"] == "text/csv"
    assert channel["DataSource"]["S3DataSource"] == {
        "S3DataType": "S3Prefix",
        "S3DataDistributionType": "ShardedByS3Key",
        "S3Uri": f"s3://{api.assets_bucket}/keys/train.csv",
    }


def test_a_model_is_encrypted_with_the_key_an_alias_stands_for(api: Installed) -> None:
    api.put("alias/train.csv", csv(ROWS[:100], LABELS[:100]))
    kms = api.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/models/first", TargetKeyId=key)
    alias = f"{key.rpartition(':')[0]}:alias/models/first"
    answer = api.provision(training("alias", validation_data="", kms_key_arn=alias))
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline


def test_the_same_request_writes_nothing_and_rerun_trains_again(api: Installed, trained: dict[str, Any]) -> None:
    jobs = api.client("sagemaker").list_training_jobs(NameContains="first-")["TrainingJobSummaries"]
    again = api.provision(training("first"))
    assert again.status == 200
    assert '"rerun": true' in again.body["message"]
    assert api.client("sagemaker").list_training_jobs(NameContains="first-")["TrainingJobSummaries"] == jobs

    rerun = api.provision(training("first", rerun=True))
    assert rerun.status == 200, rerun.text
    assert api.ended(rerun.body["pipeline_id"])["status"] == "Succeeded"
    names = {
        one["TrainingJobName"]
        for one in api.client("sagemaker").list_training_jobs(NameContains="first-")["TrainingJobSummaries"]
    }
    assert len(names) == len(jobs) + 1
    assert all(name.startswith(trained["outputs"]["TrainingJobName"]) for name in names)


def test_status_moves_from_creating_to_running_with_its_job_and_never_succeeds_early(api: Installed) -> None:
    api.put("long/train.csv", csv(ROWS, LABELS))
    body = training(
        "long", validation_data="", algo_hyperparameters={"objective": "binary:logistic", "num_round": 1000}
    )
    pipeline_id = api.provision(body).body["pipeline_id"]
    seen: list[str] = []
    jobs = []
    while not seen or seen[-1] not in ("Succeeded", "Failed"):
        pipeline = api.status(pipeline_id)
        seen += [pipeline["status"]] if seen[-1:] != [pipeline["status"]] else []
        jobs += [pipeline["job"]] if pipeline["job"] else []
    assert seen[-1] == "Succeeded", pipeline["reason"]
    assert seen.index("Running") < len(seen) - 1
    assert set(seen[:-1]) <= {"Creating", "Running"}
    assert {job["name"] for job in jobs} == {pipeline["outputs"]["TrainingJobName"]}
    assert {job["progress"] for job in jobs} & {"Starting", "Downloading", "Training", "Uploading"}
    name = pipeline["outputs"]["TrainingJobName"]
    assert api.client("sagemaker").describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("no-data", None, "no-data/train.csv"),
        ("bad-data", "1,2,3\n0,x,3\n", "x"),
        ("bad-labels", "7,2,3\n8,1,3\n", "label"),
    ],
)
def test_a_training_that_fails_says_why_in_the_pipelines_status(
    api: Installed, name: str, data: str | None, reason: str
) -> None:
    if data:
        api.put(f"{name}/train.csv", data)
    answer = api.provision(training(name, validation_data=""))
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Failed"
    assert pipeline["stage"] == "Run"
    assert reason in pipeline["reason"], pipeline["reason"]
    assert f"{name}-training-" in pipeline["reason"]


@pytest.mark.parametrize(
    ("data", "ours", "ends"), [("first", True, "SUCCEEDED"), ("nowhere", True, "FAILED"), ("first", False, "FAILED")]
)
def test_a_job_whose_creation_went_unanswered_is_adopted(
    api: Installed, trained: dict[str, Any], data: str, ours: bool, ends: str
) -> None:
    """The deployed state machine, paused between finding a name and using it; meanwhile its job comes to be."""
    states, sagemaker = api.client("stepfunctions"), api.client("sagemaker")
    deployed = states.describe_state_machine(stateMachineArn=trained["outputs"]["StateMachineArn"])
    definition = json.loads(deployed["definition"])
    definition["States"]["TrainFindName"] = {"Type": "Wait", "Seconds": 1, "Next": "TrainRecordName"}
    definition["States"]["TrainWait"]["Seconds"] = 1
    name = f"adopted-{data}-{ours}".lower()
    definition["States"]["TrainBegin"]["Assign"]["job"]["name"] = name
    machine = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=deployed["roleArn"])
    model = sagemaker.describe_training_job(TrainingJobName=trained["outputs"]["TrainingJobName"])
    members = ("AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig")
    request = {member: model[member] for member in (*members, "StoppingCondition", "HyperParameters")}
    request |= {"TrainingJobName": name, "EnableManagedSpotTraining": True}
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{api.assets_bucket}/{data}/train.csv"
    if not ours:
        sagemaker.create_training_job(**request)
    run = states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
    if ours:
        sagemaker.create_training_job(**request)
    while (ended := states.describe_execution(executionArn=run))["status"] == "RUNNING":
        time.sleep(0.2)
    assert ended["status"] == ends, ended
    if ends == "FAILED":
        assert ("nowhere/train.csv" if ours else "must be unique") in ended["cause"]
