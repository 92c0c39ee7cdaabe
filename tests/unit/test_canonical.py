# SPDX-License-Identifier: Apache-2.0
"""Ways of writing the same request give the same plan; different requests give different ones."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import check_request
from chalicelib.planning import plan
from chalicelib.settings import Settings

Example = Callable[[str], dict[str, Any]]
Make = Callable[[dict[str, Any]], plan.Plan]
MakeRaw = Callable[[bytes], plan.Plan]

AUGMENTED = {"s3_data_type": "AugmentedManifestFile", "data_input_mode": "Pipe"}


@pytest.fixture
def make_raw(catalog: Catalog, settings: Settings) -> MakeRaw:
    return lambda raw: plan.make(check_request(raw, catalog, settings), settings, catalog)


@pytest.fixture
def make(make_raw: MakeRaw) -> Make:
    return lambda body: make_raw(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"instance_volume_size": 20}, {"instance_volume_size": "20"}),
        ({"instance_volume_size": 20}, {}),
        ({"instance_volume_size": 30}, {"instance_volume_size": 30.0}),
        ({"use_spot_instances": True}, {"use_spot_instances": "True"}),
        ({"use_spot_instances": False}, {"use_spot_instances": "false"}),
        ({"encrypt_inner_traffic": "True"}, {}),
        ({"validation_data": ""}, {"validation_data": ""}),
        ({"kms_key_arn": ""}, {}),
        ({"compression_type": ""}, {}),
        ({"attribute_names": "[]"}, {}),
        (AUGMENTED | {"attribute_names": '["a", "b"]'}, AUGMENTED | {"attribute_names": ["a", "b"]}),
        ({"job_output_location": "out/"}, {"job_output_location": "out"}),
        ({"model_name": " churn-xgboost "}, {}),
        ({"content_type": "csv"}, {}),
        (
            {"algo_hyperparameters": {"num_round": 5, "eta": 0.10, "flag": True, "metrics": ["auc"]}},
            {"algo_hyperparameters": {"num_round": "5", "eta": "0.1", "flag": "true", "metrics": '["auc"]'}},
        ),
        ({"algo_hyperparameters": {"num_round": 5}}, {"algo_hyperparameters": '{"num_round": "5"}'}),
    ],
)
def test_two_ways_of_writing_a_request_are_one_request(make: Make, example: Example, one: Any, other: Any) -> None:
    first, second = (
        make({**example("model_training_builtin"), **one}),
        make({**example("model_training_builtin"), **other}),
    )
    assert first.digest == second.digest
    assert first.bundle == second.bundle
    assert first.stages == second.stages


def test_a_misspelt_key_of_the_predecessor_is_the_right_one(make: Make, example: Example) -> None:
    body = example("model_training_builtin")
    old = {**body, "algo_hyperparamaters": body["algo_hyperparameters"]}
    del old["algo_hyperparameters"]
    assert make(old).digest == make(body).digest


def test_both_spellings_must_say_the_same(make: Make, example: Example) -> None:
    body = example("model_training_builtin")
    assert make({**body, "algo_hyperparamaters": body["algo_hyperparameters"]}).digest == make(body).digest
    with pytest.raises(BadRequest) as refused:
        make({**body, "algo_hyperparamaters": {"num_round": "7"}})
    assert [problem.path for problem in refused.value.problems] == ["/algo_hyperparamaters"]


def test_the_order_of_keys_means_nothing(make: Make, example: Example) -> None:
    body = example("model_training_builtin")
    assert make(dict(reversed(body.items()))).bundle == make(body).bundle


def test_rerun_is_a_wish_and_no_part_of_the_request(make: Make, example: Example) -> None:
    body = example("model_training_builtin")
    again = make({**body, "rerun": "true"})
    assert again.rerun
    assert again.digest == make(body).digest


@pytest.mark.parametrize(
    "change", [{"instance_count": 2}, {"max_runtime_per_job": 700}, {"training_data": "other.csv"}]
)
def test_a_different_request_has_another_digest_and_job_name(make: Make, example: Example, change: Any) -> None:
    body = example("model_training_builtin")
    first, second = make(body), make({**body, **change})
    assert first.digest != second.digest
    assert first.stages[0].parameters["JobName"] != second.stages[0].parameters["JobName"]
    assert first.name == second.name


def test_a_version_written_as_a_number_keeps_its_digits(make: Make, make_raw: MakeRaw, example: Example) -> None:
    body = example("model_training_builtin")
    raw = json.dumps({**body, "model_framework": "tensorflow", "model_framework_version": "@"}).replace('"@"', "2.10")
    with pytest.raises(BadRequest):  # tensorflow 2.1 exists as well: 2.10 must not become it
        make({**body, "model_framework": "tensorflow", "model_framework_version": "2.99"})
    as_text = make({**body, "model_framework": "tensorflow", "model_framework_version": "2.10"})
    assert make_raw(raw.encode()).digest == as_text.digest
    assert ":2.10" in as_text.stages[0].parameters["ImageUri"]


def test_keys_of_other_types_are_accepted_with_a_warning(make: Make, example: Example) -> None:
    body = example("model_training_builtin")
    warned = make({**body, "inference_instance": "ml.m5.large", "schedule_expression": "cron(0 * ? * * *)"})
    assert [warning.path for warning in warned.warnings] == ["/inference_instance", "/schedule_expression"]
    assert warned.digest == make(body).digest
