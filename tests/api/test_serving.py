# SPDX-License-Identifier: Apache-2.0
"""A real-time pipeline from outside: what serves is what trained, and a change of it keeps the endpoint."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import xgboost

from tests.support.installed import Installed
from tests.support.requests import UNSEEN, artifact, booster, csv, job, network, realtime


@pytest.fixture(scope="session")
def served(api: Installed, trained: dict[str, Any]) -> dict[str, Any]:
    """An endpoint for the trained model: its pipeline."""
    answer = api.provision(realtime(api, artifact(api, job(api, trained))))
    assert answer.status == 200, answer.text
    pipeline: dict[str, Any] = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    return pipeline


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
    described = api.client("sagemaker").describe_endpoint(EndpointName="first")
    role = model_role(api, described["EndpointConfigName"])
    refused = api.provision(realtime(api, "first/output/model.tar.gz", endpoint_name="second"))
    assert refused.status == 409
    assert "EndpointName" in refused.body["message"]

    models = api.client("sagemaker").list_training_jobs(NameContains="first-training")["TrainingJobSummaries"]
    key = f"first/output/{models[-1]['TrainingJobName']}/output/model.tar.gz"
    subnet, group = network(api)
    vpc = {"security_group_ids": [group], "subnets": [subnet]}
    changed = api.provision(
        realtime(api, key, inference_instance="ml.m5.xlarge", vpc_config=vpc, enable_network_isolation=True)
    )
    assert changed.status == 200, changed.text
    pipeline = api.ended(changed.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    after = api.client("sagemaker").describe_endpoint(EndpointName="first")
    assert after["EndpointArn"] == described["EndpointArn"]
    assert after["CreationTime"] == described["CreationTime"]
    assert after["EndpointConfigName"] != described["EndpointConfigName"]
    config = api.client("sagemaker").describe_endpoint_config(EndpointConfigName=after["EndpointConfigName"])
    assert config["ProductionVariants"][0]["InstanceType"] == "ml.m5.xlarge"
    model = api.client("sagemaker").describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    assert model["VpcConfig"] == {"SecurityGroupIds": [group], "Subnets": [subnet]}
    assert model["EnableNetworkIsolation"]
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
    body = realtime(
        api,
        artifact(api, job(api, trained)),
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
