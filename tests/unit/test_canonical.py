# SPDX-License-Identifier: Apache-2.0
"""Ways of writing the same request give the same plan; different requests give different ones."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from chalicelib.catalog import Catalog, Schema
from chalicelib.errors import BadRequest, Code
from chalicelib.intake.canonical import canonical
from chalicelib.intake.check import check_request
from chalicelib.planning import plan
from chalicelib.settings import Settings

Example = Callable[[str], dict[str, Any]]
Make = Callable[[dict[str, Any]], plan.Plan]
MakeRaw = Callable[[bytes], plan.Plan]

VPC = {"security_group_ids": ["sg-1"], "subnets": ["subnet-1", "subnet-2"]}
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
        ({"vpc_config": {}}, {}),
        ({"vpc_config": VPC}, {"vpc_config": json.dumps(VPC)}),
        ({"vpc_config": VPC}, {"vpc_config": dict(reversed(VPC.items()))}),
        (
            {"vpc_config": VPC},
            {"vpc_config": {"Subnets": '["subnet-1", " subnet-2 "]', "SecurityGroupIds": VPC["security_group_ids"]}},
        ),
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
    right = body.pop("algo_hyperparameters")
    with pytest.raises(BadRequest) as refused:
        make({**body, "algo_hyperparamaters": {"num_round": "7"}, "algo_hyperparameters": right})
    (problem,) = refused.value.problems
    assert problem.path == "/algo_hyperparameters"
    assert problem.problem.startswith("has another value than /algo_hyperparamaters,")


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


TUNING: Schema = {
    "type": "object",
    "properties": {
        "tuning": {
            "type": "object",
            "properties": {
                "strategy": {"type": "string", "default": "Bayesian", "x-canonical": ["none_is_empty"]},
                "max_jobs": {"type": "integer", "x-aliases": ["max_job"]},
                "target": {"type": "number"},
                "early_stop": {"type": "boolean"},
                "tags": {"type": "array", "items": {"type": "string", "x-canonical": ["lower"]}, "default": []},
                "steps": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"size": {"type": "integer", "x-aliases": ["Size"]}},
                        "additionalProperties": False,
                    },
                },
                "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
                "anything": {"type": "object"},
            },
            "additionalProperties": False,
        },
    },
}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"max_jobs": "20"}, {"strategy": "Bayesian", "max_jobs": 20}),
        ({"max_job": 20.0, "max_jobs": "20"}, {"strategy": "Bayesian", "max_jobs": 20}),
        ({"strategy": "", "tags": [], "max_jobs": ""}, {"strategy": "Bayesian"}),
        ({"strategy": "Random", "tags": '["A", "b"]'}, {"strategy": "Random", "tags": ["a", "b"]}),
        ({"strategy": "Grid", "early_stop": "True"}, {"strategy": "Grid", "early_stop": True}),
        ({"strategy": "Grid", "target": "-1.50"}, {"strategy": "Grid", "target": -1.5}),
        ({"strategy": "Grid", "target": "1.0"}, {"strategy": "Grid", "target": 1}),
        ({"strategy": "Grid", "target": "1e3x"}, {"strategy": "Grid", "target": "1e3x"}),
        ({"strategy": "Grid", "steps": ['{"Size": "3"}']}, {"strategy": "Grid", "steps": [{"size": 3}]}),
        ({"strategy": "Grid", "limits": {"a/b": "7"}}, {"strategy": "Grid", "limits": {"a/b": 7}}),
        ({"strategy": "Grid", "anything": {"b": "7"}}, {"strategy": "Grid", "anything": {"b": "7"}}),
        ({"strategy": "Grid", "max_jobs": None}, {"strategy": "Grid", "max_jobs": None}),
    ],
)
def test_what_is_in_objects_and_lists_has_a_canonical_form_too(written: Any, meant: Any) -> None:
    found = canonical({"tuning": written}, TUNING, frozenset())
    assert (found.body, found.problems) == ({"tuning": meant}, [])


@pytest.mark.parametrize(
    ("written", "path", "code"),
    [
        ({"max_job": 1, "max_jobs": 2}, "/tuning/max_jobs", Code.CONFLICT),
        ({"steps": ["{"]}, "/tuning/steps/0", Code.INVALID_JSON),
        ({"limits": "{"}, "/tuning/limits", Code.INVALID_JSON),
    ],
)
def test_a_problem_inside_an_object_has_its_whole_path(written: Any, path: str, code: Code) -> None:
    found = canonical({"tuning": written}, TUNING, frozenset())
    assert [(one.path, one.code) for one in found.problems] == [(path, code)]
