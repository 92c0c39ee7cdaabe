# SPDX-License-Identifier: Apache-2.0
"""CHANGELOG.md names every template parameter and output that differs from the predecessor's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from mlops.deploy.template import load

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
COMMON = {"AssetsBucket", "BlueprintBucket", "KmsKeyArn"}
# What MLOps Workload Orchestrator 2.2.3 has.
PARAMETERS = {
    "model_training": COMMON
    | {"JobName", "ImageUri", "InstanceType", "InstanceVolumeSize", "JobOutputLocation", "TrainingData"}
    | {"ValidationData", "MaxRuntimePerJob", "UseSpotInstances", "ContentType", "S3DataType", "DataDistribution"}
    | {"CompressionType", "DataInputMode", "DataRecordWrapping", "AttributeNames", "JobInstanceCount"}
    | {"EncryptInnerTraffic", "MaxWaitTimeForSpotInstances", "AlgoHyperparameteres", "NotificationsSNSTopicArn"},
    "realtime_inference": COMMON
    | {"ModelName", "ModelArtifactLocation", "InferenceInstance", "CustomAlgorithmsECRRepoArn", "ImageUri"}
    | {"ModelPackageName", "ModelPackageGroupName", "DataCaptureLocation", "EndpointName"},
    "delivery/single": {"TemplateZipFileName", "TemplateFileName", "TemplateParamsName", "AssetsBucket", "StackName"}
    | {"NotificationsSNSTopicArn"},
}
OUTPUTS = {
    "model_training": {
        "TrainingJobName",
        "TrainingJobOutputLocation",
        "TrainingDataLocation",
        "ValidationDataLocation",
    },
    "realtime_inference": {"BYOMInferenceLambdaRestApiEndpoint", "SageMakerModelName", "SageMakerEndpointConfigName"}
    | {"SageMakerEndpointName", "EndpointDataCaptureLocation"},
    "delivery/single": {"Pipelines"},
}
MAIN_OUTPUTS = {"PipelineOrchestrationLambdaRestApiEndpoint1DE9DCB2", "BlueprintsBucket", "AssetsBucket", "ECRRepoName"}
MAIN_OUTPUTS |= {"ECRRepoArn", "ModelRegistryArn", "MLOpsNotificationsTopicArn"}


def told(template: str) -> list[set[str]]:
    """The row of a template: parameters that are gone, that are new, outputs that are new."""
    (row,) = [line for line in CHANGELOG.splitlines() if line.startswith(f"| {template} |")]
    return [set(re.findall(r"`(\w+)`", cell)) for cell in row.split("|")[2:5]]


@pytest.mark.parametrize("name", PARAMETERS)
def test_what_changed_in_a_template_is_told(name: str, catalog_folder: Path) -> None:
    template: dict[str, Any] = load(catalog_folder / f"{name}.yaml")
    parameters, outputs = set(template["Parameters"]), set(template["Outputs"])
    assert not OUTPUTS[name] - outputs
    assert told(f"`{name}`") == [
        PARAMETERS[name] - parameters,
        parameters - PARAMETERS[name],
        outputs - OUTPUTS[name],
    ]


def test_what_changed_in_the_main_template_is_told() -> None:
    outputs = set(load(ROOT / "deployment" / "templates" / "outputs.yaml")["Outputs"])
    assert not MAIN_OUTPUTS - outputs
    assert told("the main template") == [set(), set(), outputs - MAIN_OUTPUTS]


def test_logical_ids_are_kept(catalog_folder: Path) -> None:
    """So that an existing stack can be taken over in place."""
    serving = load(catalog_folder / "realtime_inference.yaml")["Resources"]
    kept = {"MLOpsSagemakerModel", "MLOpsSagemakerEndpointConfig", "MLOpsSagemakerEndpoint"}
    assert kept | {"MLOpsRealtimeSagemakerRoleEEC0971C"} <= set(serving)
    assert "SingleAccountPipeline68667189" in load(catalog_folder / "delivery" / "single.yaml")["Resources"]
