# SPDX-License-Identifier: Apache-2.0
"""Names are the predecessor's, and fit AWS's limits."""

import ast
import re
from pathlib import Path

import pytest
from chalicelib.planning import names
from mlops.defaults import PIPELINE_PREFIX

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("suffix", "longest"),  # the predecessor's table, single account
    [
        ("BYOMPipelineRealtimeBuiltIn", 72),
        ("BYOMPipelineRealtimeCustom", 73),
        ("ModelTraining", 86),
    ],
)
def test_the_longest_identity_fills_a_stack_name(suffix: str, longest: int) -> None:
    assert names.longest_identity("mlops-pipeline", suffix) == longest
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


# -- what cannot import the names ------------------------------------------------------------------------------------
#
# The functions of custom resources are zips of their own, and must do their work with the properties that an older
# stack gave them; IAM policies and event patterns have the names inside of strings.


def constant(function: str, name: str) -> str:
    """What a function's module assigns to a name."""
    tree = ast.parse((ROOT / "source" / "functions" / f"{function}.py").read_text("utf-8"))
    (value,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name
    ]
    assert isinstance(value, ast.Constant)
    return str(value.value)


def test_the_functions_know_pipelines_by_the_same_names() -> None:
    assert constant("guard_pipelines", "DELIVERY") == names.DELIVERY
    assert constant("check_install", "DEPLOYED_STACKS") == PIPELINE_PREFIX


def test_the_deployment_knows_pipelines_by_the_same_names() -> None:
    files = [*(ROOT / "deployment" / "templates").glob("*.yaml"), *(ROOT / "deployment" / "permissions").glob("*.yaml")]
    found = [one for path in files for one in re.findall(r"\bmlops-p[\w-]*", path.read_text("utf-8"))]
    assert set(found) == {PIPELINE_PREFIX, f"{PIPELINE_PREFIX}-"}
    assert f"PIPELINE_STACK_NAME: {PIPELINE_PREFIX}\n" in "".join(path.read_text("utf-8") for path in files)
