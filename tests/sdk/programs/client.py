# SPDX-License-Identifier: Apache-2.0
"""A client that trains, tunes, deploys, invokes, transforms, registers and searches candidates with the SDK.

In:  see `tests/sdk/test_client.py`
Out: {"requests": {operation: the first request of it that the SDK sent}, "statuses": {what: how it ended},
      "predictions": of the endpoint, "trials": [...], "approved": ...}
"""

import json
import logging
import sys

import botocore.client
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.model_registry import create_model_package_from_containers
from sagemaker.core.parameter import ContinuousParameter, IntegerParameter
from sagemaker.core.resources import AutoMLJobV2, Endpoint, EndpointConfig, Model, ModelPackage, ModelPackageGroup
from sagemaker.core.shapes import (
    AutoMLDataSource,
    AutoMLJobChannel,
    AutoMLJobCompletionCriteria,
    AutoMLOutputDataConfig,
    AutoMLProblemTypeConfig,
    AutoMLS3DataSource,
    AutoMLSecurityConfig,
    CaptureOption,
    ContainerDefinition,
    DataCaptureConfig,
    ProductionVariant,
    StoppingCondition,
    TabularJobConfig,
)
from sagemaker.core.training.configs import Compute, InputData, Networking, OutputDataConfig
from sagemaker.core.transformer import Transformer
from sagemaker.train.model_trainer import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

given = json.load(sys.stdin)
answers = sys.stdout
sys.stdout = sys.stderr  # the SDK prints
logging.disable(logging.WARNING)

requests = {}
send = botocore.client.BaseClient._make_api_call


def recorded(client, operation, arguments):
    if client.meta.service_model.service_name == "sagemaker":
        requests.setdefault(operation, arguments)
    return send(client, operation, arguments)


botocore.client.BaseClient._make_api_call = recorded

session = Session(default_bucket=given["bucket"])
assets = f"s3://{given['bucket']}"
name = given["name"]
channels = [
    InputData(channel_name=channel, data_source=f"{assets}/{key}", content_type="csv")
    for channel, key in given["channels"].items()
]


def trainer(hyperparameters):
    return ModelTrainer(
        sagemaker_session=session,
        role=given["role"],
        base_job_name=name,
        training_image=given["image"],
        compute=Compute(**given["compute"]),
        stopping_condition=StoppingCondition(**given["stopping_condition"]),
        networking=Networking(enable_inter_container_traffic_encryption=True),
        output_data_config=OutputDataConfig(s3_output_path=f"{assets}/{given['output']}"),
        hyperparameters=hyperparameters,
    )


statuses = {}
one = trainer(given["hyperparameters"])
one.train(input_data_config=channels, wait=True, logs=False)
job = one._latest_training_job
job.refresh()
statuses["training"] = job.training_job_status

tuner = HyperparameterTuner(
    trainer(given["tuning"]["hyperparameters"]),
    objective_metric_name=given["tuning"]["objective"],
    hyperparameter_ranges={
        "eta": ContinuousParameter(*given["tuning"]["eta"], scaling_type="Logarithmic"),
        "max_depth": IntegerParameter(*given["tuning"]["max_depth"]),
    },
    strategy="Random",
    max_jobs=2,
    max_parallel_jobs=2,
    random_seed=7,
    base_tuning_job_name="sdk-tuning",
)
tuner.tune(inputs=channels, wait=True)
tuning = tuner.latest_tuning_job
tuning.refresh()
statuses["tuning"] = tuning.hyper_parameter_tuning_job_status
trials = [one.training_job_name for one in tuning.get_all_training_jobs()]

artifact = job.model_artifacts.s3_model_artifacts
container = ContainerDefinition(image=given["image"], model_data_url=artifact)
Model.create(model_name=name, primary_container=container, execution_role_arn=given["role"])
EndpointConfig.create(
    endpoint_config_name=name,
    production_variants=[
        ProductionVariant(
            variant_name="AllTraffic",
            model_name=name,
            instance_type="ml.m5.large",
            initial_instance_count=1,
            initial_variant_weight=1.0,
        )
    ],
    data_capture_config=DataCaptureConfig(
        enable_capture=True,
        initial_sampling_percentage=100,
        destination_s3_uri=f"{assets}/{given['captured']}",
        capture_options=[CaptureOption(capture_mode="Output"), CaptureOption(capture_mode="Input")],
    ),
)
endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
endpoint.wait_for_status("InService", poll=1)
statuses["endpoint"] = endpoint.endpoint_status
answer = endpoint.invoke(body=given["rows"], content_type="text/csv", accept="text/csv")
predictions = answer.body.read().decode()
endpoint.delete()

transformer = Transformer(
    model_name=name,
    instance_count=1,
    instance_type="ml.m5.large",
    output_path=f"{assets}/{given['transformed']}",
    base_transform_job_name=name,
    sagemaker_session=session,
)
transformer.transform(f"{assets}/{given['unseen']}", content_type="text/csv", split_type="Line", wait=True, logs=False)
transform = transformer.latest_transform_job
transform.refresh()
statuses["transform"] = transform.transform_job_status

ModelPackageGroup.create(model_package_group_name=name)
# ModelPackage.create of SDK 3.27 reads a name from the answer, which SageMaker's does not have
package_arn = create_model_package_from_containers(
    session,
    containers=[{"Image": given["image"], "ModelDataUrl": artifact}],
    content_types=["text/csv"],
    response_types=["text/csv"],
    inference_instances=["ml.m5.large"],
    transform_instances=["ml.m5.large"],
    model_package_group_name=name,
    approval_status="PendingManualApproval",
)["ModelPackageArn"]
# its update() reads the package back by a name that versions of a group do not have
session.sagemaker_client.update_model_package(ModelPackageArn=package_arn, ModelApprovalStatus="Approved")
approved = ModelPackage.get(model_package_name=package_arn).model_approval_status

AutoMLJobV2.create(
    auto_ml_job_name=given["automl"]["name"],
    auto_ml_job_input_data_config=[
        AutoMLJobChannel(
            channel_type="training",
            content_type="text/csv;header=present",
            data_source=AutoMLDataSource(
                s3_data_source=AutoMLS3DataSource(s3_data_type="S3Prefix", s3_uri=f"{assets}/{given['automl']['data']}")
            ),
        )
    ],
    output_data_config=AutoMLOutputDataConfig(s3_output_path=f"{assets}/{given['output']}"),
    auto_ml_problem_type_config=AutoMLProblemTypeConfig(
        tabular_job_config=TabularJobConfig(
            target_attribute_name=given["automl"]["target"],
            completion_criteria=AutoMLJobCompletionCriteria(**given["automl"]["criteria"]),
        )
    ),
    security_config=AutoMLSecurityConfig(enable_inter_container_traffic_encryption=True),
    role_arn=given["role"],
)
session.sagemaker_client.stop_auto_ml_job(AutoMLJobName=given["automl"]["name"])

json.dump(
    {"requests": requests, "statuses": statuses, "predictions": predictions, "trials": trials, "approved": approved},
    answers,
    default=str,
)
