# SPDX-License-Identifier: Apache-2.0
"""What fails says why and leaves what worked; what is broken heals with the next request."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, UNSEEN, csv, job, realtime, training
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def artifact(api: Installed) -> str:
    """The key of a trained model."""
    api.put("healing/train.csv", csv(ROWS, LABELS))
    answer = api.provision(training("healing", validation_data=""))
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    location: str = job(api, pipeline)["ModelArtifacts"]["S3ModelArtifacts"]
    return location.removeprefix(f"s3://{api.assets_bucket}/")


def serving(api: Installed, artifact: str, **changes: Any) -> dict[str, Any]:
    return realtime(api, artifact, model_name="healing", endpoint_name="healing", **changes)


def predict(api: Installed) -> str:
    answer = api.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="healing", ContentType="text/csv", Body=csv(UNSEEN[:3])
    )
    text: str = answer["Body"].read().decode()
    return text


def test_a_first_deployment_that_failed_is_cleared_and_made_anew(api: Installed, artifact: str) -> None:
    failed = api.provision(serving(api, "healing/nothing.tar.gz"))
    pipeline = api.ended(failed.body["pipeline_id"])
    assert pipeline["status"] == "Failed"
    assert "healing/nothing.tar.gz" in pipeline["reason"]
    assert pipeline["stack"]["status"] == "ROLLBACK_COMPLETE"

    told = api.provision(serving(api, artifact))
    assert told.status == 409
    assert int(told.headers["Retry-After"]) > 0
    assert "never completed" in told.body["message"]

    answer = api.insisting(serving(api, artifact))
    assert answer.status == 200, answer.text
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]


@pytest.mark.parametrize(("data", "reason"), [(None, "healing/other.tar.gz"), (b"no archive", "healing/other.tar.gz")])
def test_a_failed_update_is_rolled_back_and_the_endpoint_still_serves(
    api: Installed, artifact: str, data: bytes | None, reason: str
) -> None:
    answer = api.insisting(serving(api, artifact))
    ended = api.ended(answer.body["pipeline_id"])
    assert ended["status"] == "Succeeded", ended["reason"]
    before = predict(api)
    config = api.client("sagemaker").describe_endpoint(EndpointName="healing")["EndpointConfigName"]
    if data:
        api.put("healing/other.tar.gz", data)

    failing = api.provision(serving(api, "healing/other.tar.gz"))
    assert failing.status == 200, failing.text
    pipeline = api.ended(failing.body["pipeline_id"])
    assert pipeline["status"] == "Failed", pipeline
    assert reason in pipeline["reason"], pipeline["reason"]
    assert pipeline["stack"]["status"] == "UPDATE_ROLLBACK_COMPLETE"

    endpoint = api.client("sagemaker").describe_endpoint(EndpointName="healing")
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", config)
    assert predict(api) == before

    again = api.insisting(serving(api, artifact))
    assert api.ended(again.body["pipeline_id"])["status"] == "Succeeded"


@pytest.mark.parametrize("gone", ["deployed", "delivery", "bundle", "pipeline"])
def test_what_was_deleted_by_hand_comes_back_with_the_same_request(api: Installed, artifact: str, gone: str) -> None:
    body = training("healing", validation_data="")
    pipeline = api.ended(api.insisting(body).body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    name = pipeline["name"]
    match gone:
        case "deployed":
            api.client("cloudformation").delete_stack(StackName=name)
        case "delivery":
            api.client("cloudformation").delete_stack(StackName=f"{name}-codepipeline")
        case "bundle":
            key = f"mlops_provisioned_pipelines/{name}/template.zip"
            api.client("s3").delete_object(Bucket=api.bundle_bucket, Key=key)
        case "pipeline":
            found = api.client("cloudformation").describe_stacks(StackName=f"{name}-codepipeline")["Stacks"][0]
            (physical,) = [one["OutputValue"] for one in found["Outputs"] if one["OutputKey"] == "PipelineName"]
            api.client("codepipeline").delete_pipeline(name=physical)
            assert api.status(name)["status"] == "Failed"
    time.sleep(1)
    answer = api.insisting(body)
    assert answer.status == 200, answer.text
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    assert pipeline["stack"]["status"].endswith("_COMPLETE")
    assert '"rerun": true' in api.provision(body).body["message"]


GONE = {
    "AWS::SageMaker::Endpoint": ("sagemaker", "delete_endpoint", "EndpointName"),
    "AWS::Lambda::Function": ("lambda", "delete_function", "FunctionName"),
    "AWS::ApiGateway::RestApi": ("apigateway", "delete_rest_api", "restApiId"),
    "AWS::StepFunctions::StateMachine": ("stepfunctions", "delete_state_machine", "stateMachineArn"),
}


@pytest.mark.parametrize("kind", GONE)
def test_what_was_deleted_inside_a_deployed_stack_is_noticed_and_the_answer_says_how_to_heal_it(
    api: Installed, artifact: str, kind: str
) -> None:
    body = training("healing", validation_data="") if "StateMachine" in kind else serving(api, artifact)
    pipeline = api.ended(api.insisting(body).body["pipeline_id"])
    assert (pipeline["status"], pipeline["reason"]) == ("Succeeded", None), pipeline
    name = pipeline["name"]
    resources = api.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    (physical,) = [one["PhysicalResourceId"] for one in resources if one["ResourceType"] == kind]
    service, call, argument = GONE[kind]
    getattr(api.client(service), call)(**{argument: physical.rpartition("/")[2]})
    gone = physical.replace(":", "/").rpartition("/")[2]
    wait_for(lambda: api.status(name)["status"] == "Failed")

    for reason in (api.status(name)["reason"], *(refused(api, body, rerun=rerun) for rerun in (False, True))):
        assert f"{kind} {gone} of the stack {name} was deleted" in reason
        assert f"mlops delete {name}" in reason
    changes = {"instance_count": 2} if "training_data" in body else {"inference_instance": "ml.m5.xlarge"}
    assert f"{kind} {gone}" in refused(api, body, **changes), "an update would fail"
    stack = api.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    assert stack["StackStatus"].endswith("_COMPLETE"), "nothing was deleted by itself"

    (run,) = [stage["execution"] for stage in api.status(name)["stages"][:1]]
    api.client("codepipeline").start_pipeline_execution(name=physical_pipeline(api, name))
    wait_for(lambda: api.status(name)["stages"][0]["execution"] != run and api.status(name)["status"] != "Running")
    assert api.status(name)["status"] == "Failed", "a run that CloudFormation found nothing to do in is no success"

    for stack_name in (name, f"{name}-codepipeline"):
        api.client("cloudformation").delete_stack(StackName=stack_name)
        wait_for(lambda gone=stack_name: gone not in standing(api))
    assert api.ended(api.insisting(body).body["pipeline_id"])["status"] == "Succeeded"


def refused(api: Installed, body: Any, **changes: Any) -> str:
    """The message of a 409 that no waiting would mend."""
    answer = api.provision({**body, **changes})
    assert answer.status == 409, answer.text
    assert "Retry-After" not in answer.headers
    return str(answer.body["message"])


def standing(api: Installed) -> set[str]:
    return {stack["StackName"] for stack in api.client("cloudformation").describe_stacks()["Stacks"]}


def physical_pipeline(api: Installed, name: str) -> str:
    (found,) = api.client("cloudformation").describe_stacks(StackName=f"{name}-codepipeline")["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}["PipelineName"]


def test_termination_protection_is_named_where_a_stack_had_to_be_deleted(api: Installed, artifact: str) -> None:
    body = serving(api, "healing/nowhere.tar.gz") | {"model_name": "guarded", "endpoint_name": "guarded"}
    pipeline = api.ended(api.provision(body).body["pipeline_id"])
    assert pipeline["stack"]["status"] == "ROLLBACK_COMPLETE"
    cloudformation, name = api.client("cloudformation"), pipeline["name"]
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=True)
    body["model_artifact_location"] = artifact
    message = refused(api, body)
    assert name in message
    assert "--no-enable-termination-protection" in message
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    assert api.ended(api.insisting(body).body["pipeline_id"])["status"] == "Succeeded"


def test_a_run_that_a_disabled_transition_holds_says_so(api: Installed, artifact: str) -> None:
    body = training("held", training_data="healing/train.csv", validation_data="")
    pipeline = api.ended(api.provision(body).body["pipeline_id"])
    name, codepipeline = pipeline["name"], api.client("codepipeline")
    transition = {"pipelineName": physical_pipeline(api, name), "stageName": "Run", "transitionType": "Inbound"}
    codepipeline.disable_stage_transition(**transition, reason="a freeze")
    api.provision({**body, "rerun": True})
    wait_for(lambda: api.status(name)["reason"])
    held = api.status(name)
    assert held["status"] == "Running"
    assert [stage["enabled"] for stage in held["stages"]] == [True, True, False]
    assert "enable-stage-transition" in held["reason"]
    assert transition["pipelineName"] in held["reason"]
    codepipeline.enable_stage_transition(**transition)
    assert (ended := api.ended(name))["status"] == "Succeeded", ended


def test_fifty_identical_requests_at_once_make_one_pipeline(api: Installed) -> None:
    api.put("many/train.csv", csv(ROWS[:50], LABELS[:50]))
    body = training("many", validation_data="")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: api.provision(body), range(50)))
    assert {answer.status for answer in answers} <= {200, 409}
    taken = [answer for answer in answers if answer.status == 200]
    assert len({answer.body["pipeline_id"] for answer in taken}) == 1
    assert api.ended(taken[0].body["pipeline_id"])["status"] == "Succeeded"
    jobs = api.client("sagemaker").list_training_jobs(NameContains="many-training")["TrainingJobSummaries"]
    assert len(jobs) == 1


def test_of_two_different_requests_at_once_one_wins_and_the_other_is_told(api: Installed) -> None:
    api.put("two/train.csv", csv(ROWS[:50], LABELS[:50]))
    bodies = [training("two", validation_data="", instance_count=count) for count in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(api.provision, bodies))
    assert sorted(answer.status for answer in answers) == [200, 409]
    (loser,) = [answer for answer in answers if answer.status == 409]
    assert "Retry-After" in loser.headers
    (winner,) = [count for count, answer in zip((1, 2), answers, strict=True) if answer.status == 200]
    (taken,) = [answer for answer in answers if answer.status == 200]
    pipeline = api.ended(taken.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    assert job(api, pipeline)["ResourceConfig"]["InstanceCount"] == winner
