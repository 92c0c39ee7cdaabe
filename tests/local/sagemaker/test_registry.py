# SPDX-License-Identifier: Apache-2.0
"""The model registry, from outside: versions, approval, and serving what was approved."""

import json
from typing import Any

import pytest
import xgboost
from botocore.exceptions import ClientError

from tests.support.lab import IMAGE, Lab, artifact, csv, labels, rows
from tests.support.laptop import Account
from tests.support.naming import unique

FEATURES = rows()
TRANSFORM = {
    "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data"}}},
    "TransformOutput": {"S3OutputPath": "s3://bucket/output"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}
VALIDATION = {
    "ValidationRole": "arn:aws:iam::123456789012:role/validation",
    "ValidationProfiles": [{"ProfileName": "one", "TransformJobDefinition": TRANSFORM}],
}


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    return Lab(account)


@pytest.fixture(scope="module")
def booster() -> xgboost.Booster:
    return xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(FEATURES, label=labels(FEATURES)), 3)


@pytest.fixture(scope="module")
def specification(lab: Lab, booster: xgboost.Booster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    packed = artifact(tmp_path_factory.mktemp("model"), {"xgboost-model": bytes(booster.save_raw("ubj"))})
    return {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": lab.put("registry/model.tar.gz", packed)}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


@pytest.fixture
def group(lab: Lab) -> str:
    name = unique("Group")
    lab.sagemaker.create_model_package_group(
        ModelPackageGroupName=name, ModelPackageGroupDescription="scores", Tags=[{"Key": "team", "Value": "risk"}]
    )
    return name


def _version(lab: Lab, group: str, specification: dict[str, Any], **more: Any) -> str:
    arn: str = lab.sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=specification, **more
    )["ModelPackageArn"]
    return arn


def test_a_group_and_its_versions(lab: Lab, group: str, specification: dict[str, Any]) -> None:
    described = lab.sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert described["ModelPackageGroupStatus"] == "Completed"
    assert lab.sagemaker.list_tags(ResourceArn=described["ModelPackageGroupArn"])["Tags"] == [
        {"Key": "team", "Value": "risk"}
    ]
    first = _version(lab, group, specification)
    second = _version(lab, group, specification, ModelApprovalStatus="Approved", ModelPackageDescription="better")
    assert first.endswith(f":model-package/{group}/1")
    assert second.endswith("/2")
    package = lab.sagemaker.describe_model_package(ModelPackageName=second)
    assert package["InferenceSpecification"] == specification
    assert (package["ModelPackageVersion"], package["ModelApprovalStatus"]) == (2, "Approved")
    listed = lab.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert [package["ModelPackageVersion"] for package in listed] == [1, 2]
    assert listed[0]["ModelApprovalStatus"] == "PendingManualApproval"
    approved = lab.sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus="Approved")
    assert [package["ModelPackageArn"] for package in approved["ModelPackageSummaryList"]] == [second]
    with pytest.raises(ClientError, match="delete them first"):
        lab.sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    for arn in (first, second):
        lab.sagemaker.delete_model_package(ModelPackageName=arn)
    assert _version(lab, group, specification).endswith("/3")


def test_only_an_approved_version_is_served(
    lab: Lab, group: str, specification: dict[str, Any], booster: xgboost.Booster
) -> None:
    arn = _version(lab, group, specification)
    container = {"PrimaryContainer": {"ModelPackageName": arn}}
    with pytest.raises(ClientError, match="PendingManualApproval, and must be Approved"):
        lab.model("", **container)
    lab.sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="AUC is fine"
    )
    model = lab.model("", **container)
    assert lab.sagemaker.describe_model(ModelName=model)["PrimaryContainer"] == container["PrimaryContainer"]
    name = lab.endpoint(lab.config(model))
    assert lab.settled(name)["EndpointStatus"] == "InService"
    unseen = rows(count=2, seed=5)
    expected = booster.predict(xgboost.DMatrix(unseen)).tolist()
    assert [float(score) for score in lab.invoke(name, csv(unseen)).split(",")] == expected


def test_what_the_registry_refuses(lab: Lab, group: str, specification: dict[str, Any]) -> None:
    for message, call in (
        ("already exists", lambda: lab.sagemaker.create_model_package_group(ModelPackageGroupName=group)),
        ("does not exist", lambda: _version(lab, "no-such-group", specification)),
        (
            "does not exist",
            lambda: lab.sagemaker.describe_model_package(
                ModelPackageName=f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{group}/9"
            ),
        ),
        ("either ModelPackageGroupName", lambda: _version(lab, group, specification, ModelPackageName="x")),
        ("InferenceSpecification", lambda: lab.sagemaker.create_model_package(ModelPackageGroupName=group)),
    ):
        with pytest.raises(ClientError, match=message):
            call()


def test_an_approval_is_an_event(lab: Lab, group: str, specification: dict[str, Any]) -> None:
    events, sqs = lab.account.client("events"), lab.account.client("sqs")
    name = unique("approved")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(
        Name=name,
        EventPattern=json.dumps(
            {
                "detail-type": ["SageMaker Model Package State Change"],
                "detail": {"ModelPackageGroupName": [group], "ModelApprovalStatus": ["Approved"]},
            }
        ),
    )
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue_arn}])
    arn = _version(lab, group, specification)
    lab.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=3)["Messages"]
    assert json.loads(messages[0]["Body"])["detail"]["ModelPackageArn"] == arn


def test_a_repeated_token_registers_once(lab: Lab, group: str, specification: dict[str, Any]) -> None:
    token = unique("token")
    first = _version(lab, group, specification, ClientToken=token)
    assert _version(lab, group, specification, ClientToken=token) == first
    with pytest.raises(ClientError, match="used before with other parameters"):
        _version(lab, group, specification, ClientToken=token, ModelPackageDescription="another")
    listed = lab.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert [package["ModelPackageArn"] for package in listed] == [first]


def test_a_package_that_is_in_no_group(lab: Lab, specification: dict[str, Any]) -> None:
    name = unique("package")
    with pytest.raises(ClientError, match="requires SupportedRealtimeInferenceInstanceTypes"):
        lab.sagemaker.create_model_package(ModelPackageName=name, InferenceSpecification=specification)
    instances = {
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
        "SupportedTransformInstanceTypes": ["ml.m5.large"],
    }
    complete: Any = {"ModelPackageName": name, "InferenceSpecification": {**specification, **instances}}
    with pytest.raises(ClientError, match="ModelApprovalStatus does not apply"):
        lab.sagemaker.create_model_package(**complete, ModelApprovalStatus="Approved")
    arn = lab.sagemaker.create_model_package(**complete)["ModelPackageArn"]
    assert arn.endswith(f":model-package/{name}")
    assert "ModelApprovalStatus" not in lab.sagemaker.describe_model_package(ModelPackageName=name)
    with pytest.raises(ClientError, match="already existing"):
        lab.sagemaker.create_model_package(**complete)
    with pytest.raises(ClientError, match="ModelApprovalStatus does not apply"):
        lab.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    unversioned = lab.sagemaker.list_model_packages(NameContains=name)["ModelPackageSummaryList"]
    assert [package["ModelPackageArn"] for package in unversioned] == [arn]
    lab.model("", PrimaryContainer={"ModelPackageName": arn})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ModelPackageName": "x"}, "either ModelPackageGroupName"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "Tags does not apply"),
        ({"CertifyForMarketplace": True}, "CertifyForMarketplace does not apply"),
        (
            {"ValidationSpecification": VALIDATION},
            "does not validate model packages",
        ),
        (
            {"SourceAlgorithmSpecification": {"SourceAlgorithms": [{"AlgorithmName": "a"}]}},
            "does not have algorithms from AWS Marketplace",
        ),
    ],
)
def test_what_a_version_cannot_have(
    lab: Lab, group: str, specification: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        _version(lab, group, specification, **change)
    assert lab.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"] == []


def test_lists_page_sort_and_filter(lab: Lab, group: str, specification: dict[str, Any]) -> None:
    arns = [_version(lab, group, specification) for _ in range(3)]
    lab.sagemaker.update_model_package(ModelPackageArn=arns[1], ModelApprovalStatus="Rejected")
    newest_first = lab.sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", PaginationConfig={"PageSize": 2}
    )
    pages = [[one["ModelPackageArn"] for one in page["ModelPackageSummaryList"]] for page in newest_first]
    assert pages == [[arns[2], arns[1]], [arns[0]]]
    rejected = lab.sagemaker.list_model_packages(ModelPackageType="Versioned", ModelApprovalStatus="Rejected")
    assert arns[1] in [one["ModelPackageArn"] for one in rejected["ModelPackageSummaryList"]]
    by_arn = lab.sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    assert len(lab.sagemaker.list_model_packages(ModelPackageGroupName=by_arn)["ModelPackageSummaryList"]) == 3
    groups = lab.sagemaker.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]
    assert [one["ModelPackageGroupName"] for one in groups] == [group]
    shared = lab.sagemaker.list_model_package_groups(CrossAccountFilterOption="CrossAccount")
    assert shared["ModelPackageGroupSummaryList"] == []
    missing = f"{arns[0].rpartition('/')[0]}/9"
    several = lab.sagemaker.batch_describe_model_package(ModelPackageArnList=[arns[0], missing])
    assert several["ModelPackageSummaries"][arns[0]]["InferenceSpecification"] == specification
    assert several["BatchDescribeModelPackageErrorMap"][missing]["ErrorCode"] == "ValidationException"


def test_metrics_and_metadata_are_kept_and_changed(lab: Lab, group: str, specification: dict[str, Any]) -> None:
    metrics = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/statistics.json"}}}
    arn = _version(
        lab, group, specification, ModelMetrics=metrics, CustomerMetadataProperties={"auc": "0.9", "data": "May"}
    )
    created = lab.sagemaker.describe_model_package(ModelPackageName=arn)
    assert created["ModelMetrics"] == metrics
    lab.sagemaker.update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties={"auc": "0.91"}, CustomerMetadataPropertiesToRemove=["data"]
    )
    changed = lab.sagemaker.describe_model_package(ModelPackageName=arn)
    assert changed["CustomerMetadataProperties"] == {"auc": "0.91"}
    assert changed["LastModifiedTime"] > created["LastModifiedTime"]
    assert changed["CreationTime"] == created["CreationTime"]


def test_who_may_approve_one_group_may_approve_no_other(lab: Lab, group: str, specification: dict[str, Any]) -> None:
    lab.sagemaker.create_model_package_group(ModelPackageGroupName=f"{group}-2")
    ours, other = _version(lab, group, specification), _version(lab, f"{group}-2", specification)
    actions = ["sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages", "sagemaker:UpdateModelPackage"]
    of_group = f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{group}/*"
    role = lab.make_role([{"Effect": "Allow", "Action": actions, "Resource": of_group}], "lambda.amazonaws.com")
    approver = lab.account.client("sagemaker", lab.account.assume(role))
    approver.update_model_package(ModelPackageArn=ours, ModelApprovalStatus="Approved")
    assert len(approver.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]) == 1
    for call in (
        lambda: approver.update_model_package(ModelPackageArn=other, ModelApprovalStatus="Approved"),
        lambda: approver.describe_model_package(ModelPackageName=other),
        lambda: approver.list_model_packages(ModelPackageGroupName=f"{group}-2"),
        lambda: approver.list_model_packages(ModelPackageType="Versioned"),
        lambda: approver.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification),
    ):
        with pytest.raises(ClientError, match="is not authorized to perform"):
            call()
