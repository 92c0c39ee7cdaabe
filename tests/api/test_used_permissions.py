# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's role is enough, which every test here shows, for it is enforced; and nearly all of it is used."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.api.wired import Wired
from tests.support.installed import Installed
from tests.support.requests import LABELS, LONG, ROWS, csv, realtime, training

# Granted and not called here, and why.
BESIDE = {
    "cloudformation:ContinueUpdateRollback": "only for a stack whose rollback failed, which nobody can order here",
    "cloudformation:RollbackStack": "the same, for one that was updated by hand without a rollback",
    "cloudformation:UpdateStack": "only after an upgrade that changed the delivery template",
    "cloudformation:TagResource": "CreateStack with tags asks for it",
    "codebuild:StopBuild": "builds end at once here; tests/faults stops one",
    "iam:PassRole": "CreateStack with a role asks for it",
    "kms:CreateGrant": "SageMaker's, for a model card with a key",
    "kms:Decrypt": "SageMaker's, for a model card with a key",
    "kms:DescribeKey": "SageMaker's, for a model card with a key",
    "kms:GenerateDataKey": "SageMaker's, for a model card with a key",
    "kms:RetireGrant": "SageMaker's, for a model card with a key",
    "logs:CreateLogStream": "Lambda's",
    "logs:PutLogEvents": "Lambda's",
    "sagemaker:DescribeModelPackage": "for requests that name a model package: see test_registry.py",
    "sagemaker:ListModelPackages": "for requests that name a group of model packages: see test_registry.py",
    "sagemaker:DescribeAutoMLJobV2": "for blueprints that run such jobs",
    "sagemaker:DescribeHyperParameterTuningJob": "for blueprints that run such jobs",
    "sagemaker:DescribeProcessingJob": "for blueprints that run such jobs",
    "sagemaker:DescribeTransformJob": "for blueprints that run such jobs",
    "sagemaker:StopAutoMLJob": "for blueprints that run such jobs",
    "sagemaker:StopHyperParameterTuningJob": "for blueprints that run such jobs",
    "sagemaker:StopProcessingJob": "for blueprints that run such jobs",
    "sagemaker:StopTransformJob": "for blueprints that run such jobs",
}
OF_OPERATION = {"GetRestApi": "apigateway:GET", "HeadObject": "s3:GetObject", "ListObjectsV2": "s3:ListBucket"}


def test_what_is_granted_is_used(api: Installed, wired: Wired) -> None:
    wired.line.calls.clear()
    live_through_everything(api, wired)
    granted = orchestrator_actions(api)
    named = {action.split(":")[1]: action for action in granted}
    used = {OF_OPERATION.get(call) or named[call] for call in wired.line.calls}
    assert used <= granted
    assert granted - used == set(BESIDE)


def live_through_everything(api: Installed, wired: Wired) -> None:
    """New, running, failed, repeated, changed, rerun, refused, cleared away."""
    api.put("used/train.csv", csv(ROWS[:40], LABELS[:40]))
    body = training("used", training_data="used/train.csv", validation_data="")
    slow = {"objective": "binary:logistic", "num_round": 800}
    _, _, answer = wired.provision({**body, "algo_hyperparameters": slow})
    while wired.status(answer["pipeline_id"])["job"] is None:
        time.sleep(0.1)
    api.ended(answer["pipeline_id"])
    assert wired.healed({**body, "rerun": True})["status"] == "Succeeded"
    assert not wired.provision(body)[2].get("execution_id")
    assert len(wired.runs(answer["name"])) == 2

    _, _, answer = wired.provision(training("used-nothing", training_data="used/nothing.csv", validation_data=""))
    api.ended(answer["pipeline_id"])
    assert "used/nothing.csv" in wired.status(answer["pipeline_id"])["reason"]

    _, _, answer = wired.provision(realtime(api, "used/nothing.tar.gz", model_name="used", endpoint_name=""))
    api.ended(answer["pipeline_id"])
    assert "used/nothing.tar.gz" in wired.status(answer["pipeline_id"])["reason"]
    assert wired.provision(realtime(api, "used/nothing.tar.gz", model_name="used", endpoint_name=""))[0] == 409

    artifact = wired.runs("mlops-pipeline-used-modeltraining")[0]["job"]["artifact"]
    key = artifact.removeprefix(f"s3://{api.assets_bucket}/")
    served = wired.healed(realtime(api, key, model_name="used-live", endpoint_name="used-live"))
    assert wired.status(served["pipeline_id"])["status"] == "Succeeded"

    foreign = "mlops-pipeline-used-foreign-modeltraining-codepipeline"
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    api.client("cloudformation").create_stack(StackName=foreign, TemplateBody=json.dumps(template))
    status, _, _ = wired.provision(training("used-foreign", training_data="used/train.csv", validation_data=""))
    assert status == 409
    bundles = "mlops_provisioned_pipelines/mlops-pipeline-used-foreign-modeltraining/"
    listed: Any = api.client("s3").list_objects_v2(Bucket=api.bundle_bucket, Prefix=bundles)
    assert listed["KeyCount"] == 0
    api.client("cloudformation").delete_stack(StackName=foreign)

    document_a_model(api, wired)

    _, page = wired.ask("pipelines", prefix="used")
    assert answer["name"] in [row["name"] for row in page["pipelines"]]
    _, _, answer = wired.provision(training("used-long", training_data="used/train.csv", algo_hyperparameters=LONG))
    while wired.status(answer["pipeline_id"])["job"] is None:
        time.sleep(0.1)
    assert wired.ask("pipelines/{name}/stop", answer["name"], "POST")[1]["jobs"]
    api.ended(answer["pipeline_id"])
    while wired.ask("pipelines/{name}", answer["name"], "DELETE")[0] != 200:
        time.sleep(0.2)


def document_a_model(api: Installed, wired: Wired) -> None:
    """A model card, from its creation to its deletion."""
    api.put("used/metrics.json", json.dumps({"metric_groups": []}))
    file = f"s3://{api.assets_bucket}/used/metrics.json"
    evaluation = {"name": "e", "metric_file_s3_url": file, "metric_type": "model_card_metric_schema"}
    operations: tuple[tuple[str, dict[str, Any]], ...] = (
        ("create_model_card", {"model_overview": {"model_name": "none"}, "evaluation_details": [evaluation]}),
        ("update_model_card", {"status": "Approved"}),
        ("describe_model_card", {"all_versions": True}),
        ("export_model_card", {}),
        ("delete_model_card", {}),
    )
    for operation, keys in operations:
        assert wired.provision({"pipeline_type": operation, "name": "used", **keys})[0] == 200, operation
    assert wired.provision({"pipeline_type": "list_model_cards"})[0] == 200


def orchestrator_actions(api: Installed) -> set[str]:
    """What the installed role may do."""
    iam = api.client("iam")
    (name,) = [role["RoleName"] for role in iam.list_roles()["Roles"] if "-OrchestratorRole" in role["RoleName"]]
    actions: set[str] = set()
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        arn = policy["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        for statement in document["Statement"]:
            found = statement["Action"]
            actions |= {found} if isinstance(found, str) else set(found)
    return actions
