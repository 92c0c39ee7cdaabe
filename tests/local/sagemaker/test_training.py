# SPDX-License-Identifier: Apache-2.0
"""Training jobs, from outside: what they learn, what they report, and why they fail."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError

from tests.support.lab import ALLOW_S3_AND_LOGS, LONG, UNKNOWN_IMAGE, Lab, channel, csv, labels, libsvm, rows
from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.waiting import wait_for

FEATURES = rows()
LABELS = labels(FEATURES)


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    lab = Lab(account)
    lab.put("data/train.csv", csv(FEATURES, LABELS))
    lab.put("data/validation.csv", csv(rows(seed=8), labels(rows(seed=8))))
    return lab


@pytest.fixture(scope="module")
def train(lab: Lab) -> str:
    return f"s3://{lab.bucket}/data/train.csv"


@pytest.fixture(scope="module")
def validation(lab: Lab) -> str:
    return f"s3://{lab.bucket}/data/validation.csv"


@pytest.fixture(scope="module")
def completed(lab: Lab, train: str, validation: str) -> dict[str, Any]:
    return lab.train(lab.training_request(train, validation, Tags=[{"Key": "team", "Value": "risk"}]))


def test_a_job_completes_with_metrics_times_and_an_artifact(lab: Lab, completed: dict[str, Any]) -> None:
    assert completed["TrainingJobStatus"] == completed["SecondaryStatus"] == "Completed"
    metrics = {metric["MetricName"]: metric["Value"] for metric in completed["FinalMetricDataList"]}
    assert metrics.keys() == {"train:auc", "validation:auc"}
    assert metrics["validation:auc"] > 0.9
    steps = [step["Status"] for step in completed["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all("EndTime" in step and step["StatusMessage"] for step in completed["SecondaryStatusTransitions"])
    assert completed["CreationTime"] <= completed["TrainingStartTime"] <= completed["TrainingEndTime"]
    assert completed["BillableTimeInSeconds"] >= 1
    name = completed["TrainingJobName"]
    artifact = f"s3://{lab.bucket}/output/{name}/output/model.tar.gz"
    assert completed["ModelArtifacts"] == {"S3ModelArtifacts": artifact}


def test_the_model_is_the_one_xgboost_trains_on_the_same_rows(lab: Lab, completed: dict[str, Any]) -> None:
    ours = lab.booster(completed["ModelArtifacts"]["S3ModelArtifacts"])
    theirs = xgboost.train(
        {"objective": "binary:logistic", "base_score": 0.5, "tree_method": "exact"},
        xgboost.DMatrix(FEATURES, label=LABELS),
        10,
    )
    unseen = xgboost.DMatrix(rows(seed=9))
    assert np.array_equal(ours.predict(unseen), theirs.predict(unseen))


def test_describe_returns_every_member_of_the_request(lab: Lab, train: str) -> None:
    request = lab.training_request(
        train,
        EnableManagedSpotTraining=True,
        EnableInterContainerTrafficEncryption=True,
        EnableNetworkIsolation=True,
        StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90},
        Environment={"A": "b"},
        RetryStrategy={"MaximumRetryAttempts": 2},
    )
    job = lab.train(request)
    assert {member: job[member] for member in request} == request
    assert job["TrainingJobStatus"] == "Completed"


def test_the_log_is_in_cloudwatch(lab: Lab, completed: dict[str, Any]) -> None:
    logs, group = lab.account.client("logs"), "/aws/sagemaker/TrainingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=completed["TrainingJobName"])
    stream = streams["logStreams"][0]["logStreamName"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
    assert any(event["message"].startswith("[9]\ttrain-auc:") for event in events)


def test_several_files_libsvm_gzip_and_a_folder(lab: Lab) -> None:
    lab.put("parts/a.csv", csv(FEATURES[:100], LABELS[:100]))
    lab.put("parts/deeper/b.csv", csv(FEATURES[100:], LABELS[100:]))
    lab.put("parts/_SUCCESS", "")
    lab.put("zipped/train.csv.gz", gzip.compress(csv(FEATURES, LABELS).encode()))
    lab.put("svm/train.libsvm", libsvm(FEATURES, LABELS))
    inputs = [
        channel("train", f"s3://{lab.bucket}/parts/"),
        channel("train", f"s3://{lab.bucket}/parts"),
        channel("train", f"s3://{lab.bucket}/zipped", CompressionType="Gzip"),
        channel("train", f"s3://{lab.bucket}/svm/", "text/libsvm"),
        channel("train", f"s3://{lab.bucket}/svm/train", "libsvm", InputMode="Pipe"),
    ]
    predictions = []
    for given in inputs:
        job = lab.train(lab.training_request("", InputDataConfig=[given]))
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        booster = lab.booster(job["ModelArtifacts"]["S3ModelArtifacts"])
        predictions.append(booster.predict(xgboost.DMatrix(rows(seed=9))))
    assert all(np.array_equal(predictions[0], other) for other in predictions)


@pytest.mark.parametrize(
    ("content", "hyperparameters", "reason"),
    [
        ("", {}, "ClientError: No data in the train channel"),
        (
            "label,x\n1,2\n",
            {},
            "ClientError: Failed to load csv data of channel train: train.csv line 1 column 1: 'label'",
        ),
        ("1,2\n0,oops\n", {}, "line 2 column 2: 'oops' is not a number"),
        ("1,2\n0,1,2\n", {}, "train.csv line 2 has 3 columns, and line 1 has 2"),
        (
            "1,2\n7,3\n",
            {},
            "ClientError: label must be in [0,1] for logistic regression: row 2 of channel train has the label 7",
        ),
        ("1,2\n0,3\n", {"num_round": None}, "ClientError: Missing required hyperparameter: num_round"),
        ("1,2\n0,3\n", {"max_dept": "3"}, "ClientError: Extraneous hyperparameter found: max_dept"),
        ("1,2\n0,3\n", {"eta": "2"}, "ClientError: Hyperparameter eta: 2 is not in [0, 1]"),
        ("1,2\n0,3\n", {"objective": "multi:softmax"}, "ClientError: Require input for parameter 'num_class'"),
    ],
)
def test_a_job_fails_with_the_reason(lab: Lab, content: str, hyperparameters: dict[str, str], reason: str) -> None:
    uri = lab.put(f"bad/{unique('x')}/train.csv", content)
    request = lab.training_request(uri)
    given = {**request["HyperParameters"], "eval_metric": "logloss", **hyperparameters}
    request["HyperParameters"] = {name: value for name, value in given.items() if value is not None}
    if "multi" in given["objective"]:
        request["HyperParameters"]["eval_metric"] = "mlogloss"
    job = lab.train(request)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert reason in job["FailureReason"]


def test_a_job_without_data_fails_and_names_the_place(lab: Lab) -> None:
    missing = lab.train(lab.training_request(f"s3://{lab.bucket}/nowhere/"))
    assert f'No S3 objects found under S3 URL "s3://{lab.bucket}/nowhere/"' in missing["FailureReason"]
    no_bucket = lab.train(lab.training_request("s3://no-such-bucket-at-all/train.csv"))
    assert "no-such-bucket-at-all" in no_bucket["FailureReason"]
    assert no_bucket["FailureReason"].startswith("ClientError: Data download failed")


def test_a_job_with_an_unknown_image_fails_and_names_the_images_known(lab: Lab, train: str) -> None:
    request = lab.training_request(train)
    request["AlgorithmSpecification"] = {"TrainingImage": UNKNOWN_IMAGE, "TrainingInputMode": "File"}
    job = lab.train(request)
    assert job["TrainingJobStatus"] == "Failed"
    assert UNKNOWN_IMAGE in job["FailureReason"]
    assert "sagemaker-xgboost:<version>" in job["FailureReason"]


@pytest.mark.parametrize("kind", ["ManifestFile", "AugmentedManifestFile"])
def test_manifests_are_refused_with_the_reason(lab: Lab, train: str, kind: str) -> None:
    request = lab.training_request(train)
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataType"] = kind
    assert kind in lab.train(request)["FailureReason"]


def test_data_are_read_and_written_with_the_jobs_role(lab: Lab, train: str) -> None:
    reader = lab.make_role([{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}])
    nobody = lab.make_role([{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}])
    cannot_write = lab.train(lab.training_request(train, RoleArn=reader))
    assert cannot_write["FailureReason"].startswith("ClientError: Artifact upload failed: AccessDenied (403)")
    cannot_read = lab.train(lab.training_request(train, RoleArn=nobody))
    assert cannot_read["FailureReason"].startswith("ClientError: Data download failed: AccessDenied (403)")


def test_the_artifact_is_encrypted_with_the_customers_key(lab: Lab, train: str) -> None:
    key = lab.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    output = {"S3OutputPath": f"s3://{lab.bucket}/output", "KmsKeyId": key}
    denied = lab.train(lab.training_request(train, OutputDataConfig=output))
    assert "not authorized to perform: kms:GenerateDataKey" in denied["FailureReason"]
    role = lab.make_role([*ALLOW_S3_AND_LOGS, {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": key}])
    job = lab.train(lab.training_request(train, OutputDataConfig=output, RoleArn=role))
    artifact = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{lab.bucket}/")
    head = lab.s3.head_object(Bucket=lab.bucket, Key=artifact)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def test_a_policy_speaks_of_a_key_never_of_its_alias(lab: Lab, train: str) -> None:
    kms, name = lab.account.client("kms"), f"alias/{unique('artifacts')}"
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=name, TargetKeyId=key)
    alias = f"{key.rpartition(':')[0]}:{name}"
    output = {"S3OutputPath": f"s3://{lab.bucket}/output", "KmsKeyId": alias}
    use = {"Effect": "Allow", "Action": "kms:GenerateDataKey"}
    on_alias = lab.make_role([*ALLOW_S3_AND_LOGS, {**use, "Resource": alias}])
    denied = lab.train(lab.training_request(train, OutputDataConfig=output, RoleArn=on_alias))
    assert f"kms:GenerateDataKey on resource: {key}" in denied["FailureReason"]
    on_key = lab.make_role(
        [
            *ALLOW_S3_AND_LOGS,
            {
                **use,
                "Resource": f"{key.rpartition('/')[0]}/*",
                "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}},
            },
        ]
    )
    job = lab.train(lab.training_request(train, OutputDataConfig=output, RoleArn=on_key))
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    output["KmsKeyId"] += "-not"
    absent = lab.train(lab.training_request(train, OutputDataConfig=output, RoleArn=on_key))
    assert "NotFoundException" in absent["FailureReason"]


def test_what_aws_refuses_at_once(lab: Lab, train: str, completed: dict[str, Any]) -> None:
    refused: list[tuple[dict[str, Any], str, str]] = [
        ({"TrainingJobName": completed["TrainingJobName"]}, "ResourceInUse", "Training job names must be unique"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/nobody"}, "ValidationException", "Could not assume role"),
        (
            {"RoleArn": lab.make_role(ALLOW_S3_AND_LOGS, "lambda.amazonaws.com")},
            "ValidationException",
            "Could not assume role",
        ),
        ({"EnableManagedSpotTraining": True}, "ValidationException", "Invalid MaxWaitTimeInSeconds"),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59},
            },
            "ValidationException",
            "Invalid MaxWaitTime",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}},
            "ValidationException",
            "Invalid MaxWaitTime",
        ),
        (
            {
                "ResourceConfig": {
                    "InstanceType": "ml.m5d.large",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 1,
                    "VolumeKmsKeyId": "k",
                }
            },
            "ValidationException",
            "ml.m5d.large",
        ),
        (
            {"ResourceConfig": {"InstanceType": "m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
            "ValidationException",
            "enum value set",
        ),
        ({"TrainingJobName": "under_score"}, "ValidationException", "regular expression"),
    ]
    for changes, code, message in refused:
        with pytest.raises(ClientError) as caught:
            lab.sagemaker.create_training_job(**lab.training_request(train, **changes))
        assert caught.value.response["Error"]["Code"] == code
        assert message in caught.value.response["Error"]["Message"]


def test_unknown_jobs(lab: Lab) -> None:
    for operation in (lab.sagemaker.describe_training_job, lab.sagemaker.stop_training_job):
        with pytest.raises(ClientError, match="Requested resource not found"):
            operation(TrainingJobName="nothing")


def test_stopping_a_job(lab: Lab, train: str, completed: dict[str, Any]) -> None:
    request = lab.training_request(train)
    request["HyperParameters"] |= LONG
    lab.sagemaker.create_training_job(**request)
    name = request["TrainingJobName"]
    while lab.sagemaker.describe_training_job(TrainingJobName=name)["SecondaryStatus"] != "Training":
        time.sleep(0.05)
    logs, group = lab.account.client("logs"), "/aws/sagemaker/TrainingJobs"
    wait_for(lambda: logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"])
    lab.sagemaker.stop_training_job(TrainingJobName=name)
    assert lab.sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] in ("Stopping", "Stopped")
    job = lab.finished(name)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]][-2:] == ["Stopping", "Stopped"]
    with pytest.raises(ClientError, match="in status Stopped"):
        lab.sagemaker.stop_training_job(TrainingJobName=name)


def test_a_stopped_job_keeps_its_model_if_asked_to(lab: Lab, train: str) -> None:
    request = lab.training_request(train, StoppingCondition={"MaxRuntimeInSeconds": 8})
    request["HyperParameters"] |= {**LONG, "save_model_on_termination": "true"}
    job = lab.train(request)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert lab.booster(job["ModelArtifacts"]["S3ModelArtifacts"]).num_boosted_rounds() > 1


def test_early_stopping_keeps_the_best_model(lab: Lab, train: str, validation: str) -> None:
    request = lab.training_request(train, validation)
    request["HyperParameters"] |= {"num_round": "500", "eval_metric": "auc,logloss", "early_stopping_rounds": "3"}
    job = lab.train(request)
    assert lab.booster(job["ModelArtifacts"]["S3ModelArtifacts"]).num_boosted_rounds() < 500


def test_listing_filters_sorts_and_pages(lab: Lab, train: str) -> None:
    prefix = unique("list")
    for number in range(3):
        lab.train(lab.training_request(train, TrainingJobName=f"{prefix}-{number}"))
    lab.train(lab.training_request(f"s3://{lab.bucket}/nowhere/", TrainingJobName=f"{prefix}-bad"))

    def names(**query: Any) -> list[str]:
        answer = lab.sagemaker.list_training_jobs(NameContains=prefix, **query)
        return [job["TrainingJobName"].removeprefix(f"{prefix}-") for job in answer["TrainingJobSummaries"]]

    assert names() == ["0", "1", "2", "bad"]
    assert names(SortOrder="Descending") == ["bad", "2", "1", "0"]
    assert names(SortBy="Name", SortOrder="Ascending") == ["0", "1", "2", "bad"]
    assert names(StatusEquals="Failed") == ["bad"]
    first = lab.sagemaker.list_training_jobs(NameContains=prefix, SortBy="Name", MaxResults=3)  # ascending
    assert len(first["TrainingJobSummaries"]) == 3
    assert names(SortBy="Name", MaxResults=3, NextToken=first["NextToken"]) == ["bad"]
    with pytest.raises(ClientError, match="Invalid pagination token"):
        names(NextToken="rubbish!")


def test_tags(lab: Lab, completed: dict[str, Any]) -> None:
    arn = completed["TrainingJobArn"]
    lab.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "dev"}])
    assert lab.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "team", "Value": "risk"},
        {"Key": "stage", "Value": "dev"},
    ]
    lab.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["stage"])
    assert lab.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "risk"}]
    nobody = arn.rsplit("/", 1)[0] + "/nobody"
    for call in (
        lambda: lab.sagemaker.list_tags(ResourceArn=nobody),
        lambda: lab.sagemaker.add_tags(ResourceArn=nobody, Tags=[{"Key": "stage", "Value": "dev"}]),
        lambda: lab.sagemaker.delete_tags(ResourceArn=nobody, TagKeys=["stage"]),
    ):
        with pytest.raises(ClientError, match="Could not find resource"):
            call()


EC2 = [
    {"Effect": "Allow", "Action": ["ec2:Describe*", "ec2:CreateNetworkInterface"], "Resource": "*"},
    {"Effect": "Allow", "Action": ["ec2:CreateNetworkInterfacePermission", "ec2:Delete*"], "Resource": "*"},
]


def test_a_network_must_be_there_and_the_role_must_reach_it(lab: Lab, train: str) -> None:
    ec2 = lab.account.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName=unique("group"), Description="d", VpcId=network)["GroupId"]
    for subnets, groups, wrong in (
        (["subnet-0123456789abcdef0"], [group], "subnet-0123456789abcdef0"),
        ([subnet], ["sg-0123456789abcdef0"], "sg-0123456789abcdef0"),
    ):
        request = lab.training_request(train, VpcConfig={"Subnets": subnets, "SecurityGroupIds": groups})
        with pytest.raises(ClientError, match=wrong):
            lab.sagemaker.create_training_job(**request)
    inside = {"VpcConfig": {"Subnets": [subnet], "SecurityGroupIds": [group]}}
    with pytest.raises(ClientError, match="not authorized to perform: ec2:DescribeDhcpOptions"):
        lab.sagemaker.create_training_job(**lab.training_request(train, **inside))
    elsewhere = {**EC2[1], "Condition": {"ArnLike": {"ec2:Subnet": "arn:aws:ec2:*:*:subnet/subnet-0"}}}
    role = lab.make_role([*ALLOW_S3_AND_LOGS, EC2[0], elsewhere])
    with pytest.raises(ClientError, match="not authorized to perform: ec2:CreateNetworkInterfacePermission"):
        lab.sagemaker.create_training_job(**lab.training_request(train, RoleArn=role, **inside))
    role = lab.make_role([*ALLOW_S3_AND_LOGS, *EC2])
    request = lab.training_request(train, RoleArn=role, **inside)
    assert lab.train(request)["TrainingJobStatus"] == "Completed"


def test_events_tell_a_jobs_states(lab: Lab, train: str) -> None:
    events, sqs = lab.account.client("events"), lab.account.client("sqs")
    name = unique("told")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(
        Name=name,
        EventPattern=json.dumps(
            {
                "source": ["aws.sagemaker"],
                "detail-type": ["SageMaker Training Job State Change"],
                "detail": {"TrainingJobName": [name], "TrainingJobStatus": ["Completed", "Failed"]},
            }
        ),
    )
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    lab.train(lab.training_request(train, TrainingJobName=name))
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=3, MaxNumberOfMessages=10)["Messages"]
    event = json.loads(messages[0]["Body"])
    assert len(messages) == 1
    assert event["resources"] == [event["detail"]["TrainingJobArn"]]
    assert isinstance(event["detail"]["CreationTime"], int)
    assert event["detail"]["SecondaryStatus"] == "Completed"


def test_training_metrics_are_in_cloudwatch(lab: Lab, completed: dict[str, Any]) -> None:
    cloudwatch = lab.account.client("cloudwatch")
    period = {"StartTime": time.time() - 3600, "EndTime": time.time() + 3600, "Period": 3600}

    def points(metric: str, name: str, value: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = cloudwatch.get_metric_statistics(
            Namespace="/aws/sagemaker/TrainingJobs",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value}],
            Statistics=["SampleCount", "Maximum"],
            **period,
        )["Datapoints"]
        return found

    job = completed["TrainingJobName"]
    (auc,) = points("train:auc", "TrainingJobName", job)
    final = {one["MetricName"]: one["Value"] for one in completed["FinalMetricDataList"]}
    assert (auc["SampleCount"], auc["Maximum"]) == (10, pytest.approx(final["train:auc"], abs=1e-5))
    if Path("/proc/self/stat").exists():
        (cpu,) = points("CPUUtilization", "Host", f"{job}/algo-1")
        assert cpu["Maximum"] > 0
