# SPDX-License-Identifier: Apache-2.0
"""DELETE /pipelines/{name}: both stacks and the bundle go, a step a call; data, models and records stay."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.api.managing import delete, deleted, training_long
from tests.support.http import error_shape
from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, csv, job, realtime, training


def listed(api: Installed, prefix: str) -> list[str]:
    url = f"{api.api_url}/pipelines?names_only=true&prefix={prefix}"
    return [row["name"] for row in api.send(url, b"", "GET").body["pipelines"]]


def stacks(api: Installed, name: str) -> list[str]:
    found = api.client("cloudformation").describe_stacks()["Stacks"]
    return [stack["StackName"] for stack in found if stack["StackName"].startswith(name)]


@pytest.fixture
def trained(api: Installed) -> Any:
    """A pipeline that has trained a model."""
    api.put("deleting/train.csv", csv(ROWS[:100], LABELS[:100]))
    pipeline = api.ended(api.provision(training("deleting", validation_data="")).body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    return pipeline


def test_a_pipeline_is_deleted_and_what_it_made_stays(api: Installed, trained: Any) -> None:
    name = trained["name"]
    answers = deleted(api, name)
    first, last = answers[0], answers[-1]
    assert (first.status, first.body["deleted"]) == (202, False)
    assert first.body["deletes"] == [name, f"{name}-codepipeline"]
    assert last.status == 200, last.text
    assert (last.body["deleted"], last.body["deletes"], last.body["name"]) == (True, [], name)
    assert any(api.assets_bucket in line for line in last.body["stays"])
    assert stacks(api, name) == []
    assert listed(api, "deleting") == []
    assert api.post("pipelinestatus", {"pipeline_id": name}).status == 404
    bucket, _, key = trained["job"]["artifact"].removeprefix("s3://").partition("/")
    assert api.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0
    assert job(api, trained)["TrainingJobStatus"] == "Completed"
    assert delete(api, name).status == 404


def test_a_deleted_pipeline_is_made_anew_by_its_request(api: Installed, trained: Any) -> None:
    deleted(api, trained["name"])
    answer = api.provision(training("deleting", validation_data=""))
    assert answer.body["message"] == "success: stack creation started"
    assert api.ended(answer.body["pipeline_id"])["status"] == "Succeeded"
    assert listed(api, "deleting") == [trained["name"]]


def test_a_dry_run_deletes_nothing(api: Installed, trained: Any) -> None:
    name = trained["name"]
    answer = delete(api, name, dry_run="true")
    assert answer.status == 200
    assert answer.body["deletes"] == [name, f"{name}-codepipeline"]
    assert not answer.body["deleted"]
    assert api.status(name)["status"] == "Succeeded"


@pytest.mark.parametrize("suffix", ["", "-codepipeline"])
def test_a_protected_stack_is_named_and_nothing_is_deleted(api: Installed, trained: Any, suffix: str) -> None:
    protected = f"{trained['name']}{suffix}"
    cloudformation = api.client("cloudformation")
    cloudformation.update_termination_protection(StackName=protected, EnableTerminationProtection=True)
    answer = delete(api, trained["name"])
    cloudformation.update_termination_protection(StackName=protected, EnableTerminationProtection=False)
    assert answer.status == 409
    assert f"Termination protection is enabled for the stack {protected}" in error_shape(answer)["message"]
    assert api.status(trained["name"])["status"] == "Succeeded"


def test_a_running_pipeline_is_deleted_where_it_may_be_stopped(api: Installed) -> None:
    api.put("running/train.csv", csv(ROWS, LABELS))
    pipeline = training_long(api, "running")
    refused = delete(api, pipeline["name"])
    assert refused.status == 409
    assert "Retry-After" not in refused.headers
    assert "running" in error_shape(refused)["message"]
    answers = deleted(api, pipeline["name"], stop="true")
    assert answers[0].status == 202
    assert answers[-1].body["deleted"], answers[-1].text
    assert job(api, pipeline)["TrainingJobStatus"] in ("Stopping", "Stopped")


def test_an_endpoint_goes_with_its_pipeline(api: Installed, trained: Any) -> None:
    artifact = trained["job"]["artifact"].removeprefix(f"s3://{api.assets_bucket}/")
    answer = api.provision(realtime(api, artifact, model_name="deleting", endpoint_name="deleting"))
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    assert api.client("sagemaker").describe_endpoint(EndpointName="deleting")["EndpointStatus"] == "InService"
    assert deleted(api, pipeline["name"])[-1].status == 200
    with pytest.raises(ClientError, match="Could not find endpoint"):
        api.client("sagemaker").describe_endpoint(EndpointName="deleting")


def test_what_never_completed_can_be_deleted(api: Installed) -> None:
    answer = api.provision(realtime(api, "nothing.tar.gz", model_name="never", endpoint_name=""))
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["stack"]["status"] == "ROLLBACK_COMPLETE"
    assert deleted(api, pipeline["name"])[-1].body["deleted"]
    assert stacks(api, pipeline["name"]) == []


def test_what_is_wrong_is_refused_in_the_one_shape(api: Installed, trained: Any) -> None:
    for status, answer in (
        (403, delete(api, trained["name"], signed=False)),
        (404, delete(api, "mlops-pipeline-nobody-modeltraining")),
        (404, delete(api, "mlops-orchestrator")),
        (400, delete(api, trained["name"], dry_rum="true")),
        (400, delete(api, trained["name"], stop="yes")),
    ):
        assert answer.status == status, answer.text
        error_shape(answer)
    assert api.status(trained["name"])["status"] == "Succeeded"
