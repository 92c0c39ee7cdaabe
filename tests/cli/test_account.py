# SPDX-License-Identifier: Apache-2.0
"""`mlops` against an account, as people use it: from another terminal, by its exit codes and its words."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlops.demo import story
from mlops.sample import dataset

from tests.support import http
from tests.support.commands import TRAINING, Up
from tests.support.requests import LONG
from tests.support.waiting import wait_for

KEYS = {
    "aws_endpoint_url",
    "api_url",
    "region",
    "account_id",
    "access_key_id",
    "secret_access_key",
    "assets_bucket",
    "blueprint_bucket",
    "stack_name",
}
NAME = "mlops-pipeline-breast-cancer-modeltraining"


def jobs(up: Up) -> list[str]:
    """The demo's training jobs, the latest first."""
    found = up.client("sagemaker").list_training_jobs(
        NameContains="breast-cancer", SortBy="CreationTime", SortOrder="Descending"
    )
    return [job["TrainingJobName"] for job in found["TrainingJobSummaries"]]


@pytest.fixture(scope="session")
def trained(up: Up) -> dict[str, Any]:
    """The demo's training, provisioned by the command and watched to its end."""
    dataset.upload(up.client("s3"), up.ready["assets_bucket"])
    done = up.mlops("provision", "-", "--watch", "--json", given=json.dumps(TRAINING))
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_line_has_what_a_caller_needs(up: Up) -> None:
    assert set(up.ready) == KEYS
    assert urllib.request.Request(up.ready["api_url"]).host == up.ready["aws_endpoint_url"].removeprefix("http://")


def test_the_api_refuses_unsigned_calls(up: Up) -> None:
    assert http.send(up.session, f"{up.ready['api_url']}/provisionpipeline", "{}", signed=False).status == 403


def test_who_is_throttled_is_told_when_to_come_again(up: Up) -> None:
    response = up.client("apigateway").get_gateway_response(restApiId=api_id(up), responseType="THROTTLED")
    assert response["responseParameters"] == {"gatewayresponse.header.Retry-After": "'1'"}
    assert '"errors": []' in response["responseTemplates"]["application/json"]
    [stage] = up.client("apigateway").get_stages(restApiId=api_id(up))["item"]
    [settings] = stage["methodSettings"].values()
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (100, 200)


def api_id(up: Up) -> str:
    """`…/_aws/execute-api/<id>/prod`"""
    return up.ready["api_url"].split("/")[-2]


def test_provision_and_watch(trained: dict[str, Any]) -> None:
    assert trained["name"] == NAME
    assert trained["status"]["pipeline"]["status"] == "Succeeded"


def test_the_same_request_again_says_so(up: Up, trained: dict[str, Any]) -> None:
    again = up.mlops("provision", "-", "--watch", given=json.dumps(TRAINING))
    assert again.returncode == 0
    assert "No updates are to be performed" in again.stdout


def test_the_same_request_again_with_rerun_runs(up: Up, trained: dict[str, Any]) -> None:
    before = len(jobs(up))
    again = up.mlops("provision", "-", "--rerun", "--watch", given=json.dumps(TRAINING))
    assert again.returncode == 0, again.stderr
    assert "is rerun" in again.stdout
    assert len(jobs(up)) == before + 1


def test_status_by_name_and_by_id(up: Up, trained: dict[str, Any]) -> None:
    for name in (NAME, trained["pipeline_id"]):
        done = up.mlops("status", name)
        assert done.returncode == 0
        assert "succeeded" in done.stdout
        assert "run_jobs" in done.stdout
    assert json.loads(up.mlops("status", NAME, "--json").stdout)["pipeline"]["status"] == "Succeeded"


def test_run_again_and_watch_that_run(up: Up, trained: dict[str, Any]) -> None:
    before = len(jobs(up))
    done = up.mlops("run", NAME, "--watch", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    executions = {stage["latestExecution"]["pipelineExecutionId"] for stage in answer["status"]["stageStates"]}
    assert executions == {answer["execution_id"]}
    assert len(jobs(up)) == before + 1


def test_validate_shows_the_parameters_as_they_are_sent(up: Up, trained: dict[str, Any]) -> None:
    answer = json.loads(up.mlops("validate", "-", "--json", given=json.dumps(TRAINING)).stdout)
    [stack] = up.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
    sent = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert answer["parameters"] == sent
    assert answer["checked_for"] == "mlops-orchestrator"


def test_validate_checks_what_the_deployment_allows(up: Up) -> None:
    example = Path(__file__).parents[2] / "blueprints" / "realtime_inference" / "examples" / "byom_realtime_custom.json"
    here = up.mlops("validate", str(example))
    assert here.returncode == 1
    assert "ImageAccounts" in here.stderr
    assert up.mlops("validate", str(example), "--offline").returncode == 0


def test_a_training_that_fails_says_why_and_is_exit_code_1(up: Up) -> None:
    wrong = TRAINING | {"model_name": "no-data", "training_data": "nowhere/train.csv"}
    done = up.mlops("provision", "-", "--watch", given=json.dumps(wrong))
    assert done.returncode == 1
    assert "nowhere/train.csv" in done.stderr
    assert "mlops run mlops-pipeline-no-data-modeltraining" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_refused_request_is_told_as_validate_tells_it(up: Up) -> None:
    wrong = json.dumps(TRAINING | {"instance_count": "many", "trainig_data": "x"})
    here, there = up.mlops("validate", "-", "--json", given=wrong), up.mlops("provision", "-", "--json", given=wrong)
    assert here.returncode == there.returncode == 1
    assert json.loads(here.stdout)["errors"] == json.loads(there.stdout)["errors"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status", "nothing"], "There is no pipeline 'nothing'"),
        (["run", "nothing"], "No pipeline 'nothing'"),
        (["invoke", "nothing", "--data", "-"], "Endpoint nothing of account"),
        (["provision", "-", "--stack-name", "other"], "No stack other in Region us-east-1"),
    ],
)
def test_what_is_not_there(up: Up, arguments: list[str], told: str) -> None:
    done = up.mlops(*arguments, given="{}")
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_part_of_a_name_finds_the_pipelines_that_have_it(up: Up, trained: dict[str, Any]) -> None:
    for command in ("status", "run"):
        done = up.mlops(command, "cancer-model")
        assert done.returncode == 1
        assert NAME in done.stderr


def test_the_beginning_of_a_name_is_enough(up: Up, trained: dict[str, Any]) -> None:
    for part in ("breast-cancer-model", "mlops-pipeline-breast-cancer-m"):
        done = up.mlops("status", part)
        assert done.returncode == 0, done.stderr
        assert NAME in done.stdout


def test_ctrl_c_ends_the_watching_and_not_the_pipeline(up: Up, trained: dict[str, Any]) -> None:
    hyperparameters = {**TRAINING["algo_hyperparameters"], **LONG}
    long = json.dumps(TRAINING | {"model_name": "long", "algo_hyperparameters": hyperparameters})
    name = json.loads(up.mlops("provision", "-", "--json", given=long).stdout)["name"]
    with up.started("status", name, "--watch") as watching:
        assert watching.stderr
        watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        told = watching.stderr.read()
    assert watching.returncode == 130
    assert f"mlops status {name} --watch" in told
    assert json.loads(up.mlops("status", name, "--json").stdout)["pipeline"]["status"] in ("Creating", "Running")
    sagemaker = up.client("sagemaker")
    for job in sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]:
        sagemaker.stop_training_job(TrainingJobName=job["TrainingJobName"])


def test_an_endpoint_is_asked(up: Up, trained: dict[str, Any], tmp_path: Path) -> None:
    answer = up.mlops("provision", str(story.REQUESTS / "realtime.json"), "--watch", "--json")
    assert answer.returncode == 0, answer.stderr
    outputs = json.loads(answer.stdout)["status"]["pipeline"]["outputs"]
    assert scored(up, outputs["BYOMInferenceLambdaRestApiEndpoint"]) == 200
    told = up.mlops("status", json.loads(answer.stdout)["name"]).stdout
    assert f" {outputs['BYOMInferenceLambdaRestApiEndpoint']}" in told
    assert refused_unsigned(up, outputs["BYOMInferenceLambdaRestApiEndpoint"]).keys() == {
        "message",
        "errors",
        "request_id",
    }

    rows = tmp_path / "rows.csv"
    rows.write_bytes(dataset.unlabelled(dataset.load().unseen[:3]))
    done = up.mlops("invoke", "breast-cancer", "--data", str(rows))
    assert done.returncode == 0
    assert len(story.numbers(done.stdout)) == 3
    by_pipeline = up.mlops("invoke", "breast-cancer-byom", "--data", str(rows))
    assert by_pipeline.stdout == done.stdout, by_pipeline.stderr
    logged = up.mlops("logs", "breast-cancer-byom")
    assert logged.returncode == 0, logged.stderr
    assert "/invocations" in logged.stdout
    narrow = up.mlops("invoke", "breast-cancer", "--data", "-", given="1,2,3\n")
    assert narrow.returncode == 1
    assert "Traceback" not in narrow.stderr


def scored(up: Up, inference_api: str) -> int:
    """The status of a signed request for a prediction, sent to the URL as it was printed."""
    row = dataset.unlabelled(dataset.load().unseen[:1]).decode()
    return http.send(
        up.session, f"{inference_api}inference", json.dumps({"payload": row, "content_type": "text/csv"})
    ).status


def refused_unsigned(up: Up, inference_api: str) -> Any:
    """What an inference API's gateway answers whoever doesn't sign."""
    refused = http.send(up.session, f"{inference_api}inference", "{}", signed=False)
    assert refused.status == 403
    return refused.body


def test_install_into_any_account_and_install_again(up: Up) -> None:
    options = ("install", "--bucket", "elsewhere", "--stack-name", "second", "--email", "a@b.example", "--json")
    first, again = up.mlops(*options), up.mlops(*options)
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert json.loads(first.stdout) == json.loads(again.stdout)
    answer = up.mlops("status", "nothing", "--stack-name", "second", "--json")
    assert json.loads(answer.stdout)["request_id"]


def test_ctrl_c_while_a_stack_is_installed_says_that_it_goes_on(up: Up, built: Path) -> None:
    stacks = up.client("cloudformation")
    options = ("--assets", str(built), "--stack-name", "third", "--email", "a@b.example")
    with up.started("install", *options) as installing:
        assert installing.stderr
        while "third" not in [stack["StackName"] for stack in stacks.describe_stacks()["Stacks"]]:
            assert installing.poll() is None
            time.sleep(0.05)
        time.sleep(0.2)  # the response reaches the command
        installing.send_signal(signal.SIGINT)
        told = installing.stderr.read()
    assert installing.returncode == 130
    assert "the installation of the stack third is still in progress" in told


def test_a_taken_port_is_a_sentence(up: Up) -> None:
    port = up.port
    done = up.mlops("local", "up", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert "--port 0" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_directory_that_cannot_be_used_is_a_sentence(up: Up) -> None:
    done = up.mlops("local", "up", "--port", "0", "--data", "/proc/x", "--json")
    assert done.returncode == 1
    assert "/proc/x" in json.loads(done.stdout)["message"]
    assert "Traceback" not in done.stderr


def test_a_kept_account_is_found_again(start_up: Callable[..., Up], tmp_path: Path) -> None:
    first = start_up("--data", str(tmp_path))
    stack = first.client("cloudformation").describe_stacks(StackName="mlops-orchestrator")["Stacks"][0]["StackId"]
    first.client("s3").put_object(Bucket=first.ready["assets_bucket"], Key="kept", Body=b"yes")
    first.end()
    assert not first.answers

    second = start_up("--data", str(tmp_path))
    [found] = second.client("cloudformation").describe_stacks(StackName="mlops-orchestrator")["Stacks"]
    assert (found["StackId"], found["StackStatus"]) == (stack, "CREATE_COMPLETE")
    kept = second.client("s3").get_object(Bucket=second.ready["assets_bucket"], Key="kept")["Body"].read()
    assert kept == b"yes"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_account_ends_with_the_command(start_up: Callable[..., Up], number: signal.Signals) -> None:
    one = start_up()
    os.kill(one.process.pid, number)
    one.process.wait(20)
    wait_for(lambda: not one.answers)


def test_a_region_that_is_not_supported_is_refused_before_anything_is_uploaded(up: Up, built: Path) -> None:
    before = buckets(up)
    options = ("--assets", str(built), "--email", "a@example.com")
    refused = up.mlops("--region", "us-gov-east-1", "install", *options)
    assert refused.returncode == 1
    said = " ".join(refused.stderr.split())
    assert "us-gov-east-1 is not supported: CloudFormation does not have AWS::SageMaker::Endpoint" in said
    assert buckets(up) == before


def buckets(up: Up) -> list[str]:
    return [bucket["Name"] for bucket in up.client("s3").list_buckets()["Buckets"]]


def test_a_stack_that_is_still_being_created_is_not_taken_for_another_one(up: Up) -> None:
    cloudformation = up.client("cloudformation")
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    cloudformation.create_change_set(
        StackName="not-ready-yet", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=body
    )
    refused = up.mlops("--stack-name", "not-ready-yet", "status", "any")
    assert refused.returncode == 1
    assert "not-ready-yet is still being installed (REVIEW_IN_PROGRESS)" in " ".join(refused.stderr.split())
    cloudformation.create_stack(StackName="of-somebody-else", TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="of-somebody-else", WaiterConfig={"Delay": 1})
    refused = up.mlops("--stack-name", "of-somebody-else", "status", "any")
    assert "it has no output ApiUrl" in " ".join(refused.stderr.split())
