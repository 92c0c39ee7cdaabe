# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a request is told where it is, once, with what to write instead."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from chalicelib import door
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.settings import Settings

Example = Callable[[str], dict[str, Any]]
Told = Callable[[dict[str, Any]], list[tuple[str, str, str]]]


@pytest.fixture
def told(catalog: Catalog, settings: Settings) -> Told:
    """The problems of a request; none where it is right."""

    def check(body: dict[str, Any]) -> list[tuple[str, str, str]]:
        try:
            door.check(json.dumps(body).encode(), catalog, settings)
        except BadRequest as refused:
            return [(problem.path, problem.problem, problem.hint) for problem in refused.problems]
        return []

    return check


AUGMENTED = {"s3_data_type": "AugmentedManifestFile"}


@pytest.mark.parametrize(
    ("change", "path", "problem"),
    [
        (AUGMENTED, "/data_input_mode", "'File' does not go with /s3_data_type 'AugmentedManifestFile'"),
        (AUGMENTED | {"data_input_mode": "FastFile"}, "/data_input_mode", "'FastFile' does not go with"),
        ({"attribute_names": ["a"]}, "/s3_data_type", "'S3Prefix' does not go with /attribute_names"),
        ({"max_wait_time_spot_instances": 700, "max_runtime_per_job": 701}, "/max_wait_time_spot_instances", "700 is"),
    ],
)
def test_fields_that_do_not_go_together(
    told: Told, example: Example, change: dict[str, Any], path: str, problem: str
) -> None:
    ((where, what, hint),) = told({**example("model_training_builtin"), **change})
    assert where == path
    assert what.startswith(problem)
    assert hint


@pytest.mark.parametrize(
    "change",
    [
        AUGMENTED | {"data_input_mode": "Pipe"},
        AUGMENTED | {"data_input_mode": "Pipe", "attribute_names": ["source-ref"], "data_record_wrapping": "RecordIO"},
        {"compression_type": "Gzip"},
        {"data_record_wrapping": "RecordIO"},
        {"use_spot_instances": False, "max_wait_time_spot_instances": 700, "max_runtime_per_job": 701},
    ],
)
def test_fields_that_go_together(told: Told, example: Example, change: dict[str, Any]) -> None:
    assert told({**example("model_training_builtin"), **change}) == []


@pytest.mark.parametrize(
    ("change", "path", "hint"),
    [
        ({"job_name": "a" * 64}, "/job_name", "at most 63"),
        ({"model_name": "a" * 120}, "/model_name", "at most 86"),
        (
            {"model_name": "a b" * 120},
            "/model_name",
            "Names the model, and with it the pipeline and its stacks. "
            'Letters, digits and hyphens between them; for example "churn-xgboost"',
        ),
        ({"algo_hyperparameters": {"num_round": None}}, "/algo_hyperparameters/num_round", "leave the key out instead"),
    ],
)
def test_one_problem_for_one_field(told: Told, example: Example, change: dict[str, Any], path: str, hint: str) -> None:
    ((where, _, what_instead),) = told({**example("model_training_builtin"), **change})
    assert (where, what_instead) == (path, hint)


def test_hyphens_may_stand_together_in_a_model_name(told: Told, example: Example) -> None:
    assert told({**example("model_training_builtin"), "model_name": "a--b"}) == []


@pytest.mark.parametrize(("key", "warns"), [("us-east-1", False), ("eu-west-1", True)])
def test_a_key_of_another_region_is_taken_with_a_warning(
    example: Example, catalog: Catalog, settings: Settings, key: str, warns: bool
) -> None:
    body = {**example("model_training_builtin"), "kms_key_arn": f"arn:aws:kms:{key}:111122223333:alias/models"}
    checked = door.check(json.dumps(body).encode(), catalog, settings)
    assert [(one.path, "eu-west-1" in one.problem) for one in checked.warnings] == [("/kms_key_arn", True)] * warns


def test_a_value_for_each_stage_is_told_from_a_wrong_type(told: Told, example: Example) -> None:
    body = example("byom_realtime_builtin")
    staged = {"dev": "ml.m5.large", "prod": "ml.m5.xlarge"}
    ((path, problem, _),) = told({**body, "inference_instance": staged})
    assert (path, "single account" in problem) == ("/inference_instance", True)
    ((path, problem, _),) = told({**body, "model_framework": staged})
    assert (path, "single account" in problem) == ("/model_framework", False)
