# SPDX-License-Identifier: Apache-2.0
"""Names are the predecessor's, and fit AWS's limits."""

import pytest
from chalicelib import names


@pytest.mark.parametrize(
    ("suffix", "longest"),  # the predecessor's table, single account
    [
        ("BYOMPipelineRealtimeBuiltIn", 72),
        ("BYOMPipelineRealtimeCustom", 73),
        ("ModelTraining", 86),
    ],
)
def test_the_longest_identity_fills_a_stack_name(suffix: str, longest: int) -> None:
    name = names.pipeline_name("mlops-pipeline", "m" * longest, suffix)
    assert len(names.delivery_stack(name)) == 128


def test_names_are_the_predecessors() -> None:
    name = names.pipeline_name("mlops-pipeline", " MyModel ", "ModelTraining")
    assert name == "mlops-pipeline-mymodel-modeltraining"
    assert names.bundle_key(name) == "mlops_provisioned_pipelines/mlops-pipeline-mymodel-modeltraining/template.zip"


def test_a_job_name_is_cut_to_fit() -> None:
    assert names.job_name("churn", "training", "abcdef") == "churn-training-abcd"
    long = names.job_name("m" * 48 + "-" + "x" * 20, "training", "abcdef")
    assert len(long) <= 63
    assert long.endswith("m-training-abcd")


def test_a_pipeline_and_its_delivery_stack_are_told_apart() -> None:
    stack = names.delivery_stack("mlops-pipeline-churn-modeltraining")
    assert names.is_delivery_stack(stack)
    assert not names.is_delivery_stack("mlops-pipeline-churn-modeltraining")
    assert names.of_delivery_stack(stack) == "mlops-pipeline-churn-modeltraining"


def test_an_identity_that_stack_names_cannot_have_gets_a_name_of_its_own() -> None:
    tags = ["1.0", "1-0", "1_0", "v1", "V1", "_", "a.b.c"]
    made = [names.pipeline_name("mlops-pipeline", tag, "BYOMPipelineImageBuilder") for tag in tags]
    assert len(set(made)) == len(tags) - 1  # V1 is v1
    assert made[1] == "mlops-pipeline-1-0-byompipelineimagebuilder"
    assert all(names.is_stack_name(name) for name in made)


@pytest.mark.parametrize(
    ("external", "build"),
    [
        ("mlops-pipeline-v1:0b6a3ee3-5b4c-4f0e-9d4e-1f2a3b4c5d6e", True),
        ("arn:aws:states:us-east-1:123456789012:execution:m:0b6a3ee3-5b4c-4f0e-9d4e-1f2a3b4c5d6e", False),
        ("0b6a3ee3-5b4c-4f0e-9d4e-1f2a3b4c5d6e", False),
        ("", False),
    ],
)
def test_a_build_is_known_by_its_id(external: str, build: bool) -> None:
    assert names.is_build(external) is build
