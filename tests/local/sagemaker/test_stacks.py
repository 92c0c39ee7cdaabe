# SPDX-License-Identifier: Apache-2.0
"""SageMaker's resource types in CloudFormation, and training jobs in state machines."""

import json
from pathlib import Path
from typing import Any

import pytest
import xgboost
from botocore.exceptions import ClientError

from tests.support.lab import IMAGE, LONG, Lab, artifact, csv, labels, rows
from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.waiting import wait_for

FEATURES = rows()
UNSEEN = rows(count=3, seed=9)


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    return Lab(account)


def _booster(rounds: int) -> xgboost.Booster:
    return xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(FEATURES, label=labels(FEATURES)), rounds)


def _upload(lab: Lab, folder: Path, content: bytes) -> str:
    name = unique("model")
    return lab.put(f"{name}/model.tar.gz", artifact(folder / name, {"xgboost-model": content}))


def _template(lab: Lab, artifact_uri: str, **config: Any) -> str:
    return json.dumps(
        {
            "Resources": {
                "Model": {
                    "Type": "AWS::SageMaker::Model",
                    "Properties": {
                        "ExecutionRoleArn": lab.role,
                        "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": artifact_uri},
                    },
                },
                "Config": {
                    "Type": "AWS::SageMaker::EndpointConfig",
                    "Properties": {
                        "ProductionVariants": [
                            {
                                "VariantName": "AllTraffic",
                                "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
                                "InstanceType": "ml.m5.large",
                                "InitialInstanceCount": "1",
                                "InitialVariantWeight": 1,
                            }
                        ],
                        **config,
                    },
                },
                "Endpoint": {
                    "Type": "AWS::SageMaker::Endpoint",
                    "Properties": {"EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}},
                },
            },
            "Outputs": {
                "Arn": {"Value": {"Ref": "Endpoint"}},
                "Name": {"Value": {"Fn::GetAtt": ["Endpoint", "EndpointName"]}},
                "Model": {"Value": {"Fn::GetAtt": ["Model", "ModelName"]}},
            },
        }
    )


def _stack(lab: Lab, name: str) -> dict[str, Any]:
    def settled() -> dict[str, Any] | None:
        stack: dict[str, Any] = lab.account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    answer: dict[str, Any] = wait_for(settled)
    return answer


def _outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _reasons(lab: Lab, name: str) -> list[str]:
    events = lab.account.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return [event.get("ResourceStatusReason", "") for event in events]


def _scores(lab: Lab, endpoint: str) -> list[float]:
    return [float(score) for score in lab.invoke(endpoint, csv(UNSEEN)).split(",")]


def test_a_stack_serves_is_updated_in_place_rolls_back_and_is_deleted(lab: Lab, tmp_path: Path) -> None:
    cloudformation, stack = lab.account.client("cloudformation"), unique("serving")
    first, second = _booster(3), _booster(9)
    template = _template(lab, _upload(lab, tmp_path, bytes(first.save_raw("ubj"))))
    cloudformation.create_stack(StackName=stack, TemplateBody=template)
    created = _stack(lab, stack)
    assert created["StackStatus"] == "CREATE_COMPLETE", _reasons(lab, stack)
    outputs = _outputs(created)
    endpoint = outputs["Name"]
    assert outputs["Arn"] == f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{endpoint}"
    assert endpoint.startswith(stack[:10])
    assert len(outputs["Model"]) <= 63
    assert _scores(lab, endpoint) == first.predict(xgboost.DMatrix(UNSEEN)).tolist()

    template = _template(lab, _upload(lab, tmp_path, bytes(second.save_raw("ubj"))))
    cloudformation.update_stack(StackName=stack, TemplateBody=template)
    updated = _stack(lab, stack)
    assert updated["StackStatus"] == "UPDATE_COMPLETE", _reasons(lab, stack)
    assert _outputs(updated)["Name"] == endpoint
    assert _outputs(updated)["Model"] != outputs["Model"]
    assert _scores(lab, endpoint) == second.predict(xgboost.DMatrix(UNSEEN)).tolist()
    with pytest.raises(ClientError, match="Could not find model"):
        lab.sagemaker.describe_model(ModelName=outputs["Model"])

    cloudformation.update_stack(StackName=stack, TemplateBody=_template(lab, _upload(lab, tmp_path, b"nonsense")))
    rolled_back = _stack(lab, stack)
    assert rolled_back["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert any("not a model that xgboost" in reason for reason in _reasons(lab, stack))
    assert _outputs(rolled_back)["Name"] == endpoint
    assert _scores(lab, endpoint) == second.predict(xgboost.DMatrix(UNSEEN)).tolist()

    cloudformation.delete_stack(StackName=stack)
    wait_for(
        lambda: (
            endpoint
            not in [found["EndpointName"] for found in lab.sagemaker.list_endpoints(MaxResults=100)["Endpoints"]]
        )
    )


def test_an_endpoint_that_was_deleted_behind_its_stack_is_named(lab: Lab, tmp_path: Path) -> None:
    cloudformation, stack = lab.account.client("cloudformation"), unique("hollow")
    model = _upload(lab, tmp_path, bytes(_booster(3).save_raw("ubj")))
    cloudformation.create_stack(StackName=stack, TemplateBody=_template(lab, model))
    outputs = _outputs(_stack(lab, stack))
    lab.sagemaker.delete_endpoint(EndpointName=outputs["Name"])
    wait_for(lambda: not lab.sagemaker.list_endpoints(NameContains=stack)["Endpoints"])
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{lab.bucket}/c",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    changed = _template(lab, model, DataCaptureConfig=capture)
    cloudformation.update_stack(StackName=stack, TemplateBody=changed)
    _stack(lab, stack)
    assert any(f'Could not find endpoint "{outputs["Arn"]}"' in reason for reason in _reasons(lab, stack))


def test_a_stack_whose_endpoint_fails_says_why_and_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    stack = unique("failing")
    template = _template(lab, _upload(lab, tmp_path, b"nonsense"))
    lab.account.client("cloudformation").create_stack(StackName=stack, TemplateBody=template)
    assert _stack(lab, stack)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("not a model that xgboost" in reason for reason in _reasons(lab, stack))
    for records, name in (
        (lab.sagemaker.list_models(NameContains=stack)["Models"], "ModelName"),
        (lab.sagemaker.list_endpoint_configs(NameContains=stack)["EndpointConfigs"], "Name"),
        (lab.sagemaker.list_endpoints(NameContains=stack)["Endpoints"], "EndpointName"),
    ):
        assert not records, name


def test_what_the_registry_schema_refuses(lab: Lab) -> None:
    stack = unique("refused")
    template = _template(lab, f"s3://{lab.bucket}/x", NoSuchProperty=1)
    lab.account.client("cloudformation").create_stack(StackName=stack, TemplateBody=template)
    assert _stack(lab, stack)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("NoSuchProperty" in reason or "Could not find model data" in reason for reason in _reasons(lab, stack))


def test_a_registry_in_a_stack(lab: Lab, tmp_path: Path) -> None:
    cloudformation, stack, group = lab.account.client("cloudformation"), unique("registry"), unique("Group")
    uri = _upload(lab, tmp_path, bytes(_booster(2).save_raw("ubj")))

    def template(approval: str) -> str:
        return json.dumps(
            {
                "Resources": {
                    "Group": {
                        "Type": "AWS::SageMaker::ModelPackageGroup",
                        "Properties": {"ModelPackageGroupName": group, "Tags": [{"Key": "a", "Value": "b"}]},
                    },
                    "Package": {
                        "Type": "AWS::SageMaker::ModelPackage",
                        "DependsOn": "Group",
                        "Properties": {
                            "ModelPackageGroupName": group,
                            "ModelApprovalStatus": approval,
                            "InferenceSpecification": {
                                "Containers": [{"Image": IMAGE, "ModelDataUrl": uri}],
                                "SupportedContentTypes": ["text/csv"],
                                "SupportedResponseMIMETypes": ["text/csv"],
                            },
                        },
                    },
                },
                "Outputs": {"Group": {"Value": {"Ref": "Group"}}, "Arn": {"Value": {"Ref": "Package"}}},
            }
        )

    cloudformation.create_stack(StackName=stack, TemplateBody=template("PendingManualApproval"))
    created = _stack(lab, stack)
    assert created["StackStatus"] == "CREATE_COMPLETE", _reasons(lab, stack)
    assert _outputs(created)["Group"].endswith(f":model-package-group/{group}")
    cloudformation.update_stack(StackName=stack, TemplateBody=template("Approved"))
    updated = _stack(lab, stack)
    assert _outputs(updated) == _outputs(created)
    package = lab.sagemaker.describe_model_package(ModelPackageName=_outputs(updated)["Arn"])
    assert package["ModelApprovalStatus"] == "Approved"
    cloudformation.delete_stack(StackName=stack)
    wait_for(lambda: not lab.sagemaker.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"])


# --- state machines ----------------------------------------------------------------------------------------


def _start(lab: Lab, state: dict[str, Any], statements: list[Any] | None = None) -> str:
    states = lab.account.client("stepfunctions")
    role = lab.make_role(
        statements or [{"Effect": "Allow", "Action": ["sagemaker:*", "iam:PassRole", "events:*"], "Resource": "*"}],
        "states.amazonaws.com",
    )
    definition = {"StartAt": "Work", "States": {"Work": {"Type": "Task", "End": True, **state}}}
    machine = states.create_state_machine(name=unique("machine"), roleArn=role, definition=json.dumps(definition))
    execution: str = states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
    return execution


def _run(lab: Lab, state: dict[str, Any], statements: list[Any] | None = None) -> dict[str, Any]:
    states, execution = lab.account.client("stepfunctions"), _start(lab, state, statements)

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = states.describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    answer: dict[str, Any] = wait_for(ended)
    return answer


@pytest.fixture(scope="module")
def train(lab: Lab) -> str:
    return lab.put("data/train.csv", csv(FEATURES, labels(FEATURES)))


def test_a_state_machine_waits_for_a_training_job(lab: Lab, train: str) -> None:
    request = lab.training_request(train, Tags=[{"Key": "a", "Value": "b"}])
    execution = _run(lab, {"Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "Parameters": request})
    assert execution["status"] == "SUCCEEDED", execution
    output = json.loads(execution["output"])
    assert output["TrainingJobStatus"] == "Completed"
    assert output["TrainingJobName"] == request["TrainingJobName"]
    assert output["ModelArtifacts"]["S3ModelArtifacts"].endswith("model.tar.gz")


def test_a_failed_jobs_description_is_the_cause(lab: Lab) -> None:
    request = lab.training_request(f"s3://{lab.bucket}/nowhere/")
    execution = _run(lab, {"Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "Parameters": request})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.TaskFailed")
    cause = json.loads(execution["cause"])
    assert cause["TrainingJobName"] == request["TrainingJobName"]
    assert "No S3 objects found" in cause["FailureReason"]


def test_stopping_the_execution_stops_the_job(lab: Lab, train: str) -> None:
    request = lab.training_request(train)
    request["HyperParameters"] |= LONG
    execution = _start(lab, {"Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "Parameters": request})
    wait_for(lambda: lab.sagemaker.list_training_jobs(NameContains=request["TrainingJobName"])["TrainingJobSummaries"])
    lab.account.client("stepfunctions").stop_execution(executionArn=execution)
    assert lab.finished(request["TrainingJobName"])["TrainingJobStatus"] == "Stopped"


def test_without_sync_the_state_machine_goes_on(lab: Lab, train: str) -> None:
    request = lab.training_request(train)
    execution = _run(lab, {"Resource": "arn:aws:states:::sagemaker:createTrainingJob", "Parameters": request})
    assert json.loads(execution["output"]).keys() >= {"TrainingJobArn"}
    assert lab.finished(request["TrainingJobName"])["TrainingJobStatus"] == "Completed"


def test_what_sagemaker_refuses_fails_the_state(lab: Lab, train: str) -> None:
    refused = lab.training_request(train, RoleArn="arn:aws:iam::123456789012:role/nobody")
    execution = _run(lab, {"Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "Parameters": refused})
    assert execution["error"] == "SageMaker.AmazonSageMakerException"
    assert "Could not assume role" in execution["cause"]
    denied = _run(
        lab,
        {"Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "Parameters": lab.training_request(train)},
        statements=[{"Effect": "Allow", "Action": "sagemaker:Describe*", "Resource": "*"}],
    )
    assert "is not authorized to perform: sagemaker:CreateTrainingJob" in denied["cause"]


def test_the_sdk_integration_describes(lab: Lab, train: str) -> None:
    job = lab.train(lab.training_request(train))
    execution = _run(
        lab,
        {
            "Resource": "arn:aws:states:::aws-sdk:sagemaker:describeTrainingJob",
            "Parameters": {"TrainingJobName": job["TrainingJobName"]},
        },
    )
    assert json.loads(execution["output"])["SecondaryStatus"] == "Completed"
