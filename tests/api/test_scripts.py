# SPDX-License-Identifier: Apache-2.0
"""Script mode from outside: a user's own script trains, and the model that it made serves with its own code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from tests.support.http import error_shape
from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, csv, job, realtime, training
from tests.support.scripts import SERVE, TRAIN, packed

KEEP_THE_CODE = """
import shutil
shutil.copytree(os.getcwd(), os.path.join(os.environ["SM_MODEL_DIR"], "code"))
"""


def script(api: Installed, name: str, **changes: Any) -> dict[str, Any]:
    """A request that trains with the script in the assets bucket."""
    return training(
        name,
        **{
            "validation_data": "",
            "training_data": f"{name}/data.csv",
            "model_framework": "sklearn",
            "model_framework_version": "1.2-1",
            "algo_hyperparameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": f"s3://{api.assets_bucket}/{name}/code/sourcedir.tar.gz",
                "strength": 0.5,
            },
            **changes,
        },
    )


def test_a_script_trains_and_its_model_is_served_with_its_code(api: Installed) -> None:
    api.put("script/data.csv", csv(ROWS[:300], LABELS[:300]))
    api.put("script/code/sourcedir.tar.gz", packed(train__py=TRAIN + KEEP_THE_CODE, inference__py=SERVE))
    answer = api.provision(script(api, "script"))
    assert answer.status == 200, answer.text
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    described = job(api, pipeline)
    assert "sagemaker-scikit-learn:1.2-1" in described["AlgorithmSpecification"]["TrainingImage"]
    assert described["HyperParameters"]["strength"] == "0.5"
    code = f"arn:aws:s3:::{api.assets_bucket}/script/code/sourcedir.tar.gz"
    assert _statements(api)["ReadCode"]["Resource"] == code  # and nothing beside it

    artifact = described["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{api.assets_bucket}/")
    wanted = realtime(
        api,
        artifact,
        model_name="script",
        endpoint_name="script",
        model_framework="sklearn",
        model_framework_version="1.2-1",
        inference_program="inference.py",
    )
    served = api.ended(api.provision(wanted).body["pipeline_id"])
    assert served["status"] == "Succeeded", served["reason"]
    sagemaker, runtime = api.client("sagemaker"), api.client("sagemaker-runtime")
    config = sagemaker.describe_endpoint(EndpointName="script")["EndpointConfigName"]
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    model = sagemaker.describe_model(ModelName=variants[0]["ModelName"])
    assert model["PrimaryContainer"]["Environment"] == {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
        "SAGEMAKER_REGION": "us-east-1",
    }
    answered = runtime.invoke_endpoint(EndpointName="script", Body=csv(ROWS[300:320]), ContentType="text/csv")
    own = LogisticRegression(C=0.5).fit(ROWS[:300].astype(float), LABELS[:300])
    assert json.loads(answered["Body"].read()) == own.predict(ROWS[300:320].astype(float)).tolist()


@pytest.mark.parametrize(
    ("directory", "problem"),
    [
        ("s3://somebody-elses/sourcedir.tar.gz", "the bucket 'somebody-elses' is not allowed in requests"),
        ('"s3://somebody-elses/sourcedir.tar.gz"', "the bucket 'somebody-elses' is not allowed in requests"),
        ("s3://the-assets/code/*", "is not the S3 URI of an archive"),
        ("https://example.com/code.tar.gz", "is not the S3 URI of an archive"),
    ],
)
def test_code_comes_from_where_requests_may_read(api: Installed, directory: str, problem: str) -> None:
    body = script(api, "elsewhere")
    body["algo_hyperparameters"]["sagemaker_submit_directory"] = directory
    refused = api.provision(body)
    assert refused.status == 400, refused.text
    [error] = error_shape(refused)["errors"]
    assert error["path"] == "/algo_hyperparameters/sagemaker_submit_directory"
    assert problem in error["problem"]


def _statements(api: Installed) -> dict[str, Any]:
    """The statements of the training role of the script's stack, by their Sid."""
    stack = "mlops-pipeline-script-modeltraining"
    resource = api.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId="TrainingRole")
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    policy = api.client("iam").get_role_policy(RoleName=name, PolicyName="train")["PolicyDocument"]
    return {one["Sid"]: one for one in policy["Statement"]}
