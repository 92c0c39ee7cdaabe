# SPDX-License-Identifier: Apache-2.0
"""From a request to predictions, from outside: what trains is what was asked for, and what serves is what trained."""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from typing import Any

import numpy as np
import pytest
import xgboost

from tests.api.installed import Installed

RNG = np.random.default_rng(7)
ROWS = RNG.normal(size=(400, 6))
LABELS = (ROWS[:, 0] + ROWS[:, 1] * ROWS[:, 2] > 0).astype(int)
UNSEEN = RNG.normal(size=(40, 6))


def csv(rows: Any, labels: Any = None) -> str:
    table = rows if labels is None else np.column_stack([labels, rows])
    return "\n".join(",".join(f"{value:.6g}" for value in row) for row in table)


def training(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "pipeline_type": "model_training_builtin",
        "model_name": name,
        "training_data": f"{name}/train.csv",
        "validation_data": f"{name}/validation.csv",
        "job_output_location": f"{name}/output",
        "model_framework": "xgboost",
        "model_framework_version": "1.7-1",
        "algo_hyperparameters": {"objective": "binary:logistic", "num_round": 20, "eval_metric": "auc,logloss"},
        **changes,
    }


@pytest.fixture(scope="session")
def trained(api: Installed) -> dict[str, Any]:
    """A trained model: its pipeline."""
    api.put("first/train.csv", csv(ROWS[:300], LABELS[:300]))
    api.put("first/validation.csv", csv(ROWS[300:], LABELS[300:]))
    answer = api.provision(training("first"))
    assert answer.status == 200, answer.text
    assert answer.body["message"] == "success: stack creation started"
    pipeline: dict[str, Any] = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    return pipeline


def job(api: Installed, pipeline: dict[str, Any]) -> Any:
    name = pipeline["outputs"]["TrainingJobName"]
    return api.client("sagemaker").describe_training_job(TrainingJobName=name)


def booster(api: Installed, described: Any) -> xgboost.Booster:
    bucket, _, key = described["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    packed = api.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        file = archive.extractfile("xgboost-model")
        assert file is not None
        model = xgboost.Booster()
        model.load_model(bytearray(file.read()))
    return model


def test_a_training_request_trains_a_model(api: Installed, trained: dict[str, Any]) -> None:
    described = job(api, trained)
    assert described["TrainingJobStatus"] == "Completed"
    assert {metric["MetricName"] for metric in described["FinalMetricDataList"]} >= {"validation:auc", "train:auc"}
    assert trained["pipeline_type"] == "model_training_builtin"
    assert [stage["status"] for stage in trained["stages"]] == ["Succeeded"] * 3


def test_every_optional_key_reaches_the_training_job(api: Installed) -> None:
    api.put("keys/train.csv", csv(ROWS[:100], LABELS[:100]))
    key = api.client("kms").create_key()["KeyMetadata"]["Arn"]
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
        "long", validation_data="", algo_hyperparameters={"objective": "binary:logistic", "num_round": 4000}
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


@pytest.fixture(scope="session")
def served(api: Installed, trained: dict[str, Any]) -> dict[str, Any]:
    """An endpoint for the trained model: its pipeline."""
    artifact = job(api, trained)["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{api.assets_bucket}/")
    answer = api.provision(realtime(api, artifact))
    assert answer.status == 200, answer.text
    pipeline: dict[str, Any] = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    return pipeline


def realtime(api: Installed, artifact: str, **changes: Any) -> dict[str, Any]:
    return {
        "pipeline_type": "byom_realtime_builtin",
        "model_name": "first",
        "model_framework": "xgboost",
        "model_framework_version": "1.7-1",
        "model_artifact_location": artifact,
        "inference_instance": "ml.m5.large",
        "data_capture_location": f"{api.assets_bucket}/captured",
        "endpoint_name": "first",
        **changes,
    }


def test_an_endpoint_predicts_what_the_model_predicts(
    api: Installed, trained: dict[str, Any], served: dict[str, Any]
) -> None:
    assert served["outputs"]["SageMakerEndpointName"] == "first"
    answer = api.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="first", ContentType="text/csv", Body=csv(UNSEEN)
    )
    predicted = [float(one) for one in answer["Body"].read().decode().replace("\n", ",").strip(",").split(",")]
    # The rows as they went over the wire: text of six digits.
    sent = np.array([[float(one) for one in line.split(",")] for line in csv(UNSEEN).splitlines()])
    expected = booster(api, job(api, trained)).predict(xgboost.DMatrix(sent))
    assert predicted == pytest.approx(expected.tolist(), abs=1e-6)


def test_the_inference_api_answers_what_the_endpoint_answers(api: Installed, served: dict[str, Any]) -> None:
    api_id = served["outputs"]["BYOMInferenceLambdaRestApiEndpoint"].split("//")[1].split(".")[0]
    url = f"{api.endpoint}/_aws/execute-api/{api_id}/prod/inference"
    body = json.dumps({"payload": csv(UNSEEN[:2]), "content_type": "text/csv"})
    answer = api.send(url, body)
    assert answer.status == 200, answer.text
    direct = api.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="first", ContentType="text/csv", Body=csv(UNSEEN[:2])
    )
    assert answer.text == direct["Body"].read().decode()
    assert answer.headers["Content-Type"] == direct["ContentType"]
    assert api.send(url, body, signed=False).status == 403
    narrow = api.send(url, json.dumps({"payload": "1,2", "content_type": "text/csv"}))
    assert narrow.status == 400, narrow.text
    assert "6" in narrow.body["message"]
    for wrong, path in (
        ("[]", ""),
        ("{", ""),
        ('{"payload": "1"}', "/content_type"),
        ('{"content_type": "text/csv"}', "/payload"),
        ('{"payload": "\\ud800", "content_type": "text/csv"}', "/payload"),
        ('{"payload": 1e400, "content_type": "text/csv"}', ""),
        ('{"payload": ' + "[" * 5000 + "]" * 5000 + ', "content_type": "application/json"}', ""),
        ('{"payload": "1", "content_type": "text/csv\\r\\nX-Evil: 1"}', "/content_type"),
        ('{"payload": "1", "content_type": "text/\\u0000"}', "/content_type"),
        ('{"payload": "1", "content_type": "größe"}', "/content_type"),
    ):
        refused = api.send(url, wrong.encode())
        assert refused.status == 400, refused.text
        assert refused.headers["Content-Type"] == "application/json"
        assert refused.body["errors"][0]["path"] == path
    long = api.send(url, json.dumps({"payload": "1" * (6 * 1024 * 1024 + 1), "content_type": "text/csv"}))
    assert (long.status, long.body["errors"][0]["path"]) == (413, "/payload")
    word = api.send(url, json.dumps({"payload": "patient-4711,2,3,4,5,6", "content_type": "text/csv"}))
    assert word.status == 400
    assert "4711" not in word.text


def test_both_apis_write_their_access_logs(api: Installed, served: dict[str, Any]) -> None:
    api_id = re.findall(r"//([a-z0-9]+)\.", served["outputs"]["BYOMInferenceLambdaRestApiEndpoint"])[0]
    asked = api.send(f"{api.endpoint}/_aws/execute-api/{api_id}/prod/inference", json.dumps({"payload": "1,2"}))
    unsigned = api.post("pipelinestatus", {"pipeline_id": "x"}, signed=False)
    logs = api.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    lines: dict[str, dict[str, str]] = {}
    for name in (group for group in groups if re.search("(Api|Inference)AccessLogs", group)):
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
            lines |= {line["requestId"]: line for line in (json.loads(one["message"]) for one in page["events"])}
    told = lines[asked.headers["x-amzn-requestid"]]
    assert told["status"] == "400"
    assert told["caller"] == "arn:aws:iam::123456789012:root"
    told = lines[unsigned.headers["x-amzn-requestid"]]
    assert (told["path"], told["status"], told["caller"]) == ("/prod/pipelinestatus", "403", "-")


def test_a_changed_endpoint_name_is_refused_and_a_changed_instance_updates(
    api: Installed, served: dict[str, Any]
) -> None:
    artifact = f"first/output/{served['name']}"
    described = api.client("sagemaker").describe_endpoint(EndpointName="first")
    role = model_role(api, described["EndpointConfigName"])
    refused = api.provision(realtime(api, artifact, endpoint_name="second"))
    assert refused.status == 409
    assert "EndpointName" in refused.body["message"]

    models = api.client("sagemaker").list_training_jobs(NameContains="first-training")["TrainingJobSummaries"]
    key = f"first/output/{models[-1]['TrainingJobName']}/output/model.tar.gz"
    changed = api.provision(realtime(api, key, inference_instance="ml.m5.xlarge"))
    assert changed.status == 200, changed.text
    pipeline = api.ended(changed.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    after = api.client("sagemaker").describe_endpoint(EndpointName="first")
    assert after["EndpointArn"] == described["EndpointArn"]
    assert after["CreationTime"] == described["CreationTime"]
    assert after["EndpointConfigName"] != described["EndpointConfigName"]
    config = api.client("sagemaker").describe_endpoint_config(EndpointConfigName=after["EndpointConfigName"])
    assert config["ProductionVariants"][0]["InstanceType"] == "ml.m5.xlarge"
    # The live endpoint kept its role until the new configuration was live; then the old one went.
    assert model_role(api, after["EndpointConfigName"]) != role
    assert "/mlops-orchestrator/" in role
    roles = {one["Arn"] for one in api.client("iam").list_roles()["Roles"]}
    assert role not in roles


def model_role(api: Installed, config_name: str) -> str:
    """The role of the one model behind an endpoint configuration."""
    config = api.client("sagemaker").describe_endpoint_config(EndpointConfigName=config_name)
    model = api.client("sagemaker").describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    return str(model["ExecutionRoleArn"])


def test_an_endpoint_whose_model_is_missing_fails_with_the_reason(api: Installed) -> None:
    answer = api.provision(realtime(api, "nowhere/model.tar.gz", model_name="missing", endpoint_name=""))
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Failed"
    assert "nowhere/model.tar.gz" in pipeline["reason"], pipeline


def test_an_image_nobody_knows_fails_with_its_name(api: Installed, trained: dict[str, Any]) -> None:
    artifact = job(api, trained)["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{api.assets_bucket}/")
    body = realtime(
        api,
        artifact,
        pipeline_type="byom_realtime_custom",
        model_name="own",
        endpoint_name="own",
        custom_image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/my-algorithm:1.0.3",
    )
    del body["model_framework"], body["model_framework_version"]
    answer = api.provision(body)
    assert answer.status == 200, answer.text
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Failed"
    for words in ("did not pass the ping health check", "my-algorithm:1.0.3", "sagemaker-xgboost"):
        assert words in pipeline["reason"], pipeline
