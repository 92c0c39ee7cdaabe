# SPDX-License-Identifier: Apache-2.0
"""A batch pipeline from outside: the model predicts on what was asked for, and status says where its output is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError

from tests.api.managing import deleted
from tests.support.installed import Installed
from tests.support.requests import UNSEEN, artifact, batch, booster, csv, job


def described(api: Installed, pipeline: dict[str, Any]) -> dict[str, Any]:
    """The transform job of a pipeline's last run, as SageMaker describes it."""
    name = pipeline["job"]["name"]
    found: dict[str, Any] = api.client("sagemaker").describe_transform_job(TransformJobName=name)
    return found


def output(api: Installed, pipeline: dict[str, Any], name: str) -> str:
    """An output of a pipeline's last run, from where its status says."""
    bucket, _, prefix = pipeline["job"]["artifact"].removeprefix("s3://").partition("/")
    found: bytes = api.client("s3").get_object(Bucket=bucket, Key=f"{prefix}/{name}.out")["Body"].read()
    return found.decode()


@pytest.fixture(scope="module")
def model(api: Installed, trained: dict[str, Any]) -> str:
    """The key of a model's artifact; what it is to be run on is in the bucket."""
    api.put("batch/unseen.csv", csv(UNSEEN))
    return artifact(api, job(api, trained))


@pytest.fixture(scope="module")
def expected(api: Installed, trained: dict[str, Any]) -> list[float]:
    """What xgboost itself predicts on the unseen rows as they are written."""
    written = np.array([[float(f"{value:.6g}") for value in row] for row in UNSEEN])
    scores: list[float] = booster(api, job(api, trained)).predict(xgboost.DMatrix(written)).tolist()
    return scores


@pytest.fixture(scope="module")
def predicted(api: Installed, model: str) -> dict[str, Any]:
    """The pipeline of the smallest request, once it has ended."""
    answer = api.provision(batch(api, model))
    assert answer.status == 200, answer.text
    pipeline: dict[str, Any] = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    return pipeline


def test_the_smallest_request_predicts(api: Installed, predicted: dict[str, Any], expected: list[float]) -> None:
    assert predicted["name"] == "mlops-pipeline-batch-byompipelinebatchbuiltin"
    assert [float(line) for line in output(api, predicted, "unseen.csv").splitlines()] == pytest.approx(
        expected, abs=1e-6
    )
    outputs, found = predicted["outputs"], described(api, predicted)
    assert outputs["BatchTransformJobName"] == found["TransformJobName"] == predicted["job"]["name"]
    assert outputs["BatchTransformOutputLocation"] == found["TransformOutput"]["S3OutputPath"]
    assert outputs["SageMakerModelName"] == found["ModelName"]
    location = f"s3://{api.assets_bucket}/batch/predictions/{found['TransformJobName']}"
    assert found["TransformOutput"] == {"S3OutputPath": location, "Accept": "text/csv", "AssembleWith": "Line"}
    assert found["TransformInput"] == {
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{api.assets_bucket}/batch/unseen.csv"}
        },
        "ContentType": "text/csv",
        "CompressionType": "None",
        "SplitType": "Line",
    }


def test_an_equal_request_runs_again_only_if_asked_and_beside(
    api: Installed, model: str, predicted: dict[str, Any]
) -> None:
    request = batch(api, model)
    assert "already" in api.provision(request).body["message"]
    again = api.ended(api.provision({**request, "rerun": True}).body["pipeline_id"])
    assert again["status"] == "Succeeded", again
    first, second = predicted["job"], again["job"]
    assert second["name"].startswith(f"{first['name']}-")
    assert second["artifact"] == f"s3://{api.assets_bucket}/batch/predictions/{second['name']}"
    assert output(api, again, "unseen.csv") == output(api, predicted, "unseen.csv")


def test_every_optional_key_reaches_the_transform_job(api: Installed, model: str, expected: list[float]) -> None:
    api.put("batch/ids/a.csv", "\n".join(f"id{number},{row}" for number, row in enumerate(csv(UNSEEN).splitlines())))
    manifest = f"{api.assets_bucket}/batch/ids.manifest"
    api.put("batch/ids.manifest", json.dumps([{"prefix": f"s3://{api.assets_bucket}/batch/ids/"}, "a.csv"]))
    key = api.client("kms").create_key()["KeyMetadata"]["Arn"]
    answer = api.provision(
        batch(
            api,
            model,
            pipeline_type="byom_batch_custom",
            model_framework="",
            model_framework_version="",
            custom_image_uri="683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
            inference_instance="ml.c5.xlarge",
            batch_inference_data=manifest,
            job_name="my-batch",
            instance_count="2",
            content_type="text/csv",
            s3_data_type="ManifestFile",
            compression_type="None",
            split_type="Line",
            batch_strategy="SingleRecord",
            max_payload_mb="5",
            max_concurrent_transforms=4,
            invocations_timeout_seconds=30,
            invocations_max_retries="1",
            accept="text/csv",
            assemble_with="Line",
            input_filter="$[1:]",
            join_source="Input",
            output_filter="$[0,-1]",
            kms_key_arn=key,
        )
    )
    assert answer.status == 200, answer.text
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    found = described(api, pipeline)
    assert found["TransformJobName"] == "my-batch"
    assert found["TransformInput"] == {
        "DataSource": {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": f"s3://{manifest}"}},
        "ContentType": "text/csv",
        "CompressionType": "None",
        "SplitType": "Line",
    }
    assert found["TransformOutput"] == {
        "S3OutputPath": f"s3://{api.assets_bucket}/batch/predictions/my-batch",
        "Accept": "text/csv",
        "AssembleWith": "Line",
        "KmsKeyId": key,
    }
    assert found["TransformResources"] == {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "VolumeKmsKeyId": key}
    assert found["DataProcessing"] == {"InputFilter": "$[1:]", "OutputFilter": "$[0,-1]", "JoinSource": "Input"}
    assert found["ModelClientConfig"] == {"InvocationsTimeoutInSeconds": 30, "InvocationsMaxRetries": 1}
    assert (found["BatchStrategy"], found["MaxPayloadInMB"]) == ("SingleRecord", 5)
    assert found["MaxConcurrentTransforms"] == 4
    rows = [line.split(",") for line in output(api, pipeline, "a.csv").splitlines()]
    assert [row[0] for row in rows] == [f"id{number}" for number in range(len(UNSEEN))]
    assert [float(row[1]) for row in rows] == pytest.approx(expected, abs=1e-6)
    written = "batch/predictions/my-batch/a.csv.out"
    assert api.client("s3").head_object(Bucket=api.assets_bucket, Key=written)["SSEKMSKeyId"] == key


def test_a_job_that_fails_fails_the_pipeline_with_its_reason(api: Installed, model: str) -> None:
    api.put("batch/narrow.csv", "1,2\n")
    data = f"{api.assets_bucket}/batch/narrow.csv"
    answer = api.provision(batch(api, model, model_name="narrow", batch_inference_data=data))
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Failed"
    assert "ClientError: See job logs for more information" in pipeline["reason"]
    assert pipeline["job"]["status"] == "Failed"


def test_a_model_of_the_registry_is_run(api: Installed, model: str, expected: list[float]) -> None:
    sagemaker = api.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="batch-models")
    container = {
        "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "ModelDataUrl": f"s3://{api.assets_bucket}/{model}",
    }
    version = sagemaker.create_model_package(
        ModelPackageGroupName="batch-models",
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    empty = {"model_framework": "", "model_framework_version": "", "model_artifact_location": ""}
    body = batch(api, "", model_name="registered-batch", model_package_name="batch-models", **empty)
    answer = api.provision(body)
    assert answer.status == 200, answer.text
    assert answer.body["resolved"]["model_package_name"]["model_package"] == version
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    assert [float(line) for line in output(api, pipeline, "unseen.csv").splitlines()] == pytest.approx(
        expected, abs=1e-6
    )
    name = pipeline["outputs"]["SageMakerModelName"]
    assert sagemaker.describe_model(ModelName=name)["PrimaryContainer"]["ModelPackageName"] == version


def test_a_changed_model_runs_again_and_a_deletion_keeps_the_predictions(api: Installed, model: str) -> None:
    body = batch(api, model, model_name="kept", batch_job_output_location=f"{api.assets_bucket}/batch/kept")
    first = api.ended(api.provision(body).body["pipeline_id"])
    api.client("s3").copy_object(
        Bucket=api.assets_bucket, Key="batch/second.tar.gz", CopySource={"Bucket": api.assets_bucket, "Key": model}
    )
    second = api.ended(api.provision({**body, "model_artifact_location": "batch/second.tar.gz"}).body["pipeline_id"])
    assert (first["status"], second["status"]) == ("Succeeded", "Succeeded"), second
    assert first["outputs"]["SageMakerModelName"] != second["outputs"]["SageMakerModelName"]
    assert second["outputs"]["BatchTransformOutputLocation"] == second["job"]["artifact"] != first["job"]["artifact"]
    deleted(api, second["name"])
    with pytest.raises(ClientError, match="Could not find model"):
        api.client("sagemaker").describe_model(ModelName=second["outputs"]["SageMakerModelName"])
    assert output(api, first, "unseen.csv") == output(api, second, "unseen.csv") != ""
    assert described(api, second)["TransformJobStatus"] == "Completed"


def test_what_does_not_go_together_is_refused_together(api: Installed) -> None:
    answer = api.provision(
        batch(
            api,
            "a/model.tar.gz",
            content_type="application/jsonlines",
            split_type="None",
            batch_strategy="MultiRecord",
            max_payload_mb=50,
            max_concurrent_transforms=3,
            join_source="Input",
            input_filter="features",
            output_filter="$[?(@.a)]",
        )
    )
    assert answer.status == 400, answer.text
    found = {error["path"]: error["problem"] for error in answer.body["errors"]}
    assert found["/max_payload_mb"] == "50 multiplied by /max_concurrent_transforms (3) is 150"
    assert found["/split_type"] == "'None' cannot be used with /batch_strategy"
    assert found["/accept"].startswith("'text/csv' differs from /content_type ('application/jsonlines')")
    assert found["/assemble_with"].startswith("'Line' differs from /split_type ('None')")
    assert "/input_filter" in found
    assert "/output_filter" in found
    assert not [name for name in found if name == "/join_source"]
