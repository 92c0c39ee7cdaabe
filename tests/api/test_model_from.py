# SPDX-License-Identifier: Apache-2.0
"""An endpoint that takes its model from a training pipeline, from outside."""

from __future__ import annotations

from typing import Any

from tests.support.http import error_shape
from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, csv, realtime, training

NAME = "mlops-pipeline-taken-modeltraining"


def serving(api: Installed) -> dict[str, Any]:
    body = realtime(api, "", model_name="taken", endpoint_name="taken", model_from=NAME)
    del body["model_artifact_location"]
    return body


def test_an_endpoint_serves_the_model_of_a_pipelines_last_successful_run(api: Installed) -> None:
    unknown = api.provision(serving(api))
    assert unknown.status == 400, unknown.text
    assert error_shape(unknown)["errors"][0]["path"] == "/model_from"

    failed = api.ended(api.provision(training("taken", validation_data="")).body["pipeline_id"])
    assert failed["status"] == "Failed"
    too_early = api.provision(serving(api))
    assert too_early.status == 409, too_early.text
    assert error_shape(too_early)["errors"][0]["path"] == "/model_from"

    api.put("taken/train.csv", csv(ROWS[:100], LABELS[:100]))
    trained = api.ended(api.provision(training("taken", validation_data="")).body["pipeline_id"])
    answer = api.insisting(serving(api))
    assert answer.status == 200, answer.text
    resolved = answer.body["resolved"]["model_from"]
    assert (resolved["pipeline"], resolved["artifact"]) == (NAME, trained["job"]["artifact"])
    assert resolved["job"] == {"kind": "TrainingJob", "name": trained["job"]["name"]}
    assert "warnings" not in answer.body
    served = api.ended(answer.body["pipeline_id"])
    assert served["status"] == "Succeeded", served
    assert model_data(api, served) == trained["job"]["artifact"]
    assert "No updates are to be performed" in api.provision(serving(api)).body["message"]

    again = api.ended(api.provision(training("taken", validation_data="", rerun=True)).body["pipeline_id"])
    assert again["job"]["name"] != trained["job"]["name"]
    newer = api.insisting(serving(api))
    assert "Updating template parameters" in newer.body["message"], newer.text
    assert newer.body["resolved"]["model_from"]["artifact"] == again["job"]["artifact"]
    served = api.ended(newer.body["pipeline_id"])
    assert served["status"] == "Succeeded", served
    assert model_data(api, served) == again["job"]["artifact"]

    assert served["job"] is None
    refused = api.provision({**serving(api), "model_from": served["name"]})
    assert refused.status == 400, refused.text
    assert "no job that created a model" in refused.body["errors"][0]["problem"]


def model_data(api: Installed, served: dict[str, Any]) -> Any:
    model = api.client("sagemaker").describe_model(ModelName=served["outputs"]["SageMakerModelName"])
    return model["PrimaryContainer"]["ModelDataUrl"]
