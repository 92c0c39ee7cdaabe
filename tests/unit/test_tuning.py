# SPDX-License-Identifier: Apache-2.0
"""Ranges and settings of a search: what AWS would reject is refused at the door, with its place in the request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import CheckedRequest, check_request
from chalicelib.settings import Settings

Checked = Callable[..., CheckedRequest]
SETTINGS = {"objective_metric_name": "validation:auc", "max_jobs": 4}
RANGES: dict[str, Any] = {"eta": ["continuous", [0.1, 0.5]]}
GRID: dict[str, Any] = {"max_depth": ["categorical", [2, 4]], "booster": ["categorical", ["gbtree", "dart"]]}


@pytest.fixture
def checked(catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]) -> Checked:
    """A tuning request with these changes, as the door passes it."""

    def check(**changes: Any) -> CheckedRequest:
        body = {**example("model_tuner_builtin"), "tuner_configs": SETTINGS, "hyperparameters_ranges": RANGES}
        body = {key: value for key, value in {**body, **changes}.items() if value is not None}
        return check_request(json.dumps(body).encode(), catalog, settings)

    return check


def refused(checked: Checked, **changes: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(BadRequest) as error:
        checked(**changes)
    return [(one.path, one.problem, one.hint) for one in error.value.problems]


def warned(checked: Checked, **changes: Any) -> list[tuple[str, str]]:
    return [(one.path, one.problem) for one in checked(**changes).warnings]


@pytest.mark.parametrize(
    ("given", "path", "problem"),
    [
        (["continuos", [0.1, 0.5]], "/0", "'continuos' is not a kind of range"),
        ([7, [0.1, 0.5]], "/0", "7 is not a kind of range"),
        (["continuous", 0.5], "/1", "is a number, not a list"),
        (["continuous", []], "/1", "is empty"),
        (["continuous", [0.1]], "/1", "has 1 entries"),
        (["continuous", [0.1, 0.2, 0.3]], "/1", "has 3 entries"),
        (["continuous", ["low", 0.5]], "/1/0", "'low' is not a number"),
        (["continuous", [0.1, "nan"]], "/1/1", "'nan' is not a number"),
        (["continuous", [0.1, [1]]], "/1/1", "is not a number"),
        (["continuous", [0.1, None]], "/1/1", "null is not a number"),
        (["continuous", [True, 0.5]], "/1/0", "'true' is not a number"),
        (["integer", [1.5, 3]], "/1/0", "'1.5' is not a whole number"),
        (["continuous", [0.5, 0.1]], "/1", "the lowest value 0.5 is greater than the highest value 0.1"),
        (["continuous", [0.1, 0.5], "Log"], "/2", "'Log' is not a scaling type"),
        (["continuous", [0.1, 0.5], 3], "/2", "3 is not a scaling type"),
        (["continuous", [0, 0.5], "Logarithmic"], "/2", "Logarithmic cannot be used with the lowest value 0"),
        (["continuous", [0.1, 1], "ReverseLogarithmic"], "/2", "cannot be used with the range 0.1 to 1"),
        (["integer", [0, 0], "reverselogarithmic"], "/2", "cannot be used with an integer range"),
        (["categorical", []], "/1", "is empty"),
        (["categorical", list(range(31))], "/1", "has 31 entries"),
        (["categorical", [1, 2, "1"]], "/1/2", "'1' is in the list twice"),
        (["categorical", [1, None]], "/1/1", "is null, not a string"),
        (["categorical", ["x" * 257]], "/1/0", "has 257 characters"),
        (["categorical", ["a", "b\nc"]], "/1/1", "is not one line"),
        (["categorical", [1, 2], "Linear"], "/2", "a categorical range has no scaling type"),
        (["continuous"], "", "has 1 entries"),
        (["continuous", [0.1, 0.5], "Auto", 1], "", "has 4 entries"),
        ([], "", "is empty"),
        ("0.1-0.5", "", "is '0.1-0.5', a string, not a list"),
        ({"low": 1}, "", "is an object, not a list"),
    ],
)
def test_a_range_that_is_none_is_refused_where_it_is_wrong(
    checked: Checked, given: Any, path: str, problem: str
) -> None:
    # of a framework whose hyperparameters nobody checks
    told = refused(
        checked,
        hyperparameters_ranges={"rate": given},
        model_framework="sklearn",
        model_framework_version="1.2-1",
        algo_hyperparameters={"sagemaker_program": "train.py"},
    )
    assert [one[0] for one in told] == [f"/hyperparameters_ranges/rate{path}"]
    assert problem in told[0][1]
    assert told[0][2].strip("; ") == told[0][2] != ""


@pytest.mark.parametrize("name", ["sagemaker_program", "sagemaker_submit_directory"])
def test_the_script_is_not_searched(checked: Checked, name: str) -> None:
    static = {"sagemaker_program": "train.py", "sagemaker_submit_directory": "s3://the-assets/code.tar.gz"}
    told = refused(
        checked,
        hyperparameters_ranges={name: ["categorical", ["s3://elsewhere/a.tar.gz", "s3://elsewhere/b.tar.gz"]]},
        tuner_configs=SETTINGS | {"max_jobs": 2},
        model_framework="sklearn",
        model_framework_version="1.2-1",
        algo_hyperparameters={key: value for key, value in static.items() if key != name},
    )
    assert [one[0] for one in told] == [f"/hyperparameters_ranges/{name}"]
    assert "cannot be searched" in told[0][1]


@pytest.mark.parametrize(
    ("ranges", "path", "problem", "hint"),
    [
        ({}, "/hyperparameters_ranges", "is empty", "at least 1"),
        ({"etta": RANGES["eta"]}, "/hyperparameters_ranges/etta", "is not a hyperparameter of xgboost", "'eta'?"),
        ({"eta": ["continuous", [0.5, 7]]}, "/hyperparameters_ranges/eta/1/1", "'7' is not a valid eta", "at most 1"),
        ({"subsample": ["continuous", [0, 1]]}, "/hyperparameters_ranges/subsample/1/0", "'0' is not", "above 0"),
        ({"max_depth": ["continuous", [1, 5]]}, "/hyperparameters_ranges/max_depth/0", "whole numbers", "'integer'"),
        ({"booster": ["integer", [1, 5]]}, "/hyperparameters_ranges/booster/0", "no integer values", "'categorical'"),
        (
            {"booster": ["categorical", ["gbtre", "gblinear", "dart", "x"]]},
            "/hyperparameters_ranges/booster/1/0",
            "'gbtre' is not a valid booster",
            "did you mean 'gbtree'?",
        ),
        (
            {"num_round": ["integer", [1, 9]]},
            "/hyperparameters_ranges/num_round",
            "/algo_hyperparameters",
            "remove one",
        ),
    ],
)
def test_a_range_that_the_algorithm_does_not_take_is_refused(
    checked: Checked, ranges: dict[str, Any], path: str, problem: str, hint: str
) -> None:
    told = refused(checked, hyperparameters_ranges=ranges)
    (found,) = [one for one in told if one[0] == path]
    assert problem in found[1]
    assert hint in found[2]


@pytest.mark.parametrize(
    ("changes", "ranges", "path", "problem"),
    [
        ({"objective_metric_name": None}, RANGES, "/objective_metric_name", "is missing"),
        ({"objective_metric_name": ""}, RANGES, "/objective_metric_name", "is missing"),
        ({"objective_metric_name": "auc"}, RANGES, "/objective_metric_name", "'auc' is not a metric of xgboost"),
        ({"objective_metric_name": "train:auc"}, RANGES, "/objective_metric_name", "is not a metric of xgboost"),
        ({"objective_metric_name": "validation:rmse"}, RANGES, "/objective_type", "lower values are better"),
        ({"objective_type": "Minimize"}, RANGES, "/objective_type", "Minimize cannot be used with validation:auc"),
        ({"objective_type": "Max"}, RANGES, "/objective_type", "'Max' is not an allowed value"),
        ({"strategy": "Genetic"}, RANGES, "/strategy", "'Genetic' is not an allowed value"),
        ({"max_jobs": 0}, RANGES, "/max_jobs", "0 is too small"),
        ({"max_jobs": 751}, RANGES, "/max_jobs", "751 is too large"),
        ({"max_jobs": 10_001, "strategy": "Random"}, RANGES, "/max_jobs", "10001 is too large"),
        ({"max_jobs": "many"}, RANGES, "/max_jobs", "is 'many', a string, not a whole number"),
        ({"max_jobs": 5}, {"max_depth": ["integer", [1, 4]]}, "/max_jobs", "combinations of the ranges (4)"),
        ({"max_parallel_jobs": 5}, RANGES, "/max_parallel_jobs", "greater than the number of training jobs (4)"),
        ({"max_jobs": None, "max_parallel_jobs": 2}, RANGES, "/max_parallel_jobs", "training jobs (1)"),
        ({"max_parallel_jobs": 101}, RANGES, "/max_parallel_jobs", "101 is too large"),
        ({"max_runtime_in_seconds": 119}, RANGES, "/max_runtime_in_seconds", "119 is too small"),
        ({"early_stopping_type": "On"}, RANGES, "/early_stopping_type", "'On' is not an allowed value"),
        ({"random_seed": -1}, RANGES, "/random_seed", "-1 is too small"),
        ({"strategy": "Hyperband"}, RANGES, "/max_resource", "is missing"),
        (
            {"strategy": "Hyperband", "max_resource": 9, "early_stopping_type": "Auto"},
            RANGES,
            "/early_stopping_type",
            "cannot be used with the strategy Hyperband",
        ),
        (
            {"strategy": "Hyperband", "max_resource": 9, "min_resource": 10},
            RANGES,
            "/min_resource",
            "10 is greater than max_resource (9)",
        ),
        ({"max_resource": 9}, RANGES, "/max_resource", "cannot be used with the strategy Bayesian"),
        ({"strategy": "Grid", "max_jobs": 3}, GRID, "/max_jobs", "3 is not the number of combinations, 4"),
        (
            {"strategy": "Grid", "max_jobs": None, "max_parallel_jobs": 5},
            GRID,
            "/max_parallel_jobs",
            "training jobs (4)",
        ),
        (
            {"metric_definitions": [{"Name": "x", "Regex": "y"}]},
            RANGES,
            "/metric_definitions",
            "metrics of its own",
        ),
        ({"max_number_of_training_jobs_not_improving": 2}, RANGES, "/max_number_of_training_jobs_not_improving", "2"),
        ({"max_job": 3}, RANGES, "/max_job", "is an unknown key"),
    ],
)
def test_a_setting_that_aws_rejects_is_refused(
    checked: Checked, changes: dict[str, Any], ranges: dict[str, Any], path: str, problem: str
) -> None:
    given = {key: value for key, value in {**SETTINGS, **changes}.items() if value is not None}
    told = refused(checked, tuner_configs=given, hyperparameters_ranges=ranges)
    assert [one[0] for one in told] == [f"/tuner_configs{path}"]
    assert problem in told[0][1]


def test_a_grid_has_categories_only_and_not_too_many(checked: Checked) -> None:
    grid = {"objective_metric_name": "validation:auc", "strategy": "Grid"}
    (told,) = refused(checked, tuner_configs=grid, hyperparameters_ranges={**GRID, **RANGES})
    assert told[0] == "/hyperparameters_ranges/eta/0"
    wide = {name: ["categorical", list(range(1, 29))] for name in ("max_depth", "min_child_weight")}
    (told,) = refused(checked, tuner_configs=grid, hyperparameters_ranges=wide)
    assert told[:2] == ("/hyperparameters_ranges", "has 784 combinations, each of which Grid trains")
    checked(tuner_configs={**grid, "max_parallel_jobs": 4}, hyperparameters_ranges=GRID)
    checked(tuner_configs={**grid, "max_jobs": 4}, hyperparameters_ranges=GRID)


def test_all_problems_come_together(checked: Checked) -> None:
    told = refused(
        checked,
        tuner_configs={"max_jobs": 2, "max_parallel_jobs": 3},
        hyperparameters_ranges={"eta": ["continuous", [0.5, 0.1]], "max_depth": ["integer", [1, "x"]]},
        job_name="j" * 33,
    )
    assert [one[0] for one in told] == [
        "/hyperparameters_ranges/eta/1",
        "/hyperparameters_ranges/max_depth/1/1",
        "/job_name",
        "/tuner_configs/objective_metric_name",
    ]


def test_a_metric_of_the_validation_data_needs_them(checked: Checked) -> None:
    (told,) = refused(checked, validation_data=None)
    assert told[0] == "/validation_data"
    assert "validation:auc" in told[2]


def test_what_is_searched_need_not_be_static(checked: Checked) -> None:
    static = {"objective": "multi:softprob"}
    searched = {"num_round": ["integer", [1, 9]]}
    settings = {"objective_metric_name": "validation:mlogloss", "objective_type": "Minimize"}
    (told,) = refused(checked, algo_hyperparameters=static, hyperparameters_ranges=searched, tuner_configs=settings)
    assert told[0] == "/algo_hyperparameters/num_class"


def test_only_aws_knows_more_about_other_hyperparameters_and_metrics(checked: Checked) -> None:
    told = warned(checked, hyperparameters_ranges={**RANGES, "scale_pos_weight": ["continuous", [1, 9]]})
    assert [one[0] for one in told] == ["/hyperparameters_ranges/scale_pos_weight"]
    script = {
        "model_framework": "sklearn",
        "model_framework_version": "1.2-1",
        "algo_hyperparameters": {"sagemaker_program": "train.py"},
        "hyperparameters_ranges": {"anything": ["integer", [1, 9]]},
    }
    told = warned(checked, **script)
    assert [one[0] for one in told] == ["/tuner_configs/objective_metric_name"]
    own = [{"Name": "validation:auc", "Regex": "auc=([0-9.]+)"}]
    assert warned(checked, **script, tuner_configs={**SETTINGS, "metric_definitions": own}) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"eta": ["continuous", [0.1, 0.5]]}, {"eta": ["Continuous", ["0.1", "0.5"], "auto"]}),
        ({"eta": ["continuous", [0.1, 0.5], "Logarithmic"]}, {"eta": ["continuous", [0.1, 0.5, "logarithmic"]]}),
        ({"max_depth": ["categorical", [1, 2, 5, 8]]}, {"max_depth": [" CATEGORICAL ", ["1", "2", "5", "8"]]}),
    ],
)
def test_equal_ranges_are_one_request_however_they_are_written(checked: Checked, one: Any, other: Any) -> None:
    written = checked(hyperparameters_ranges=one).parameters
    assert checked(hyperparameters_ranges=None, hyperparamaters_ranges=other).parameters == written
    assert checked(hyperparameters_ranges=None, hyperparameter_ranges=other).parameters == written
    assert checked(hyperparameters_ranges=json.dumps(other)).parameters == written
    settings = {**SETTINGS, "max_jobs": "4", "strategy": "Bayesian", "objective_type": ""}
    assert checked(hyperparameters_ranges=other, tuner_configs=settings).parameters == written


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"type": "Identical", "parent_tuning_jobs": ["a"]}, "/warm_start/type"),
        ({"type": "TransferLearning", "parent_tuning_jobs": []}, "/warm_start/parent_tuning_jobs"),
        ({"type": "TransferLearning", "parent_tuning_jobs": list("abcdef")}, "/warm_start/parent_tuning_jobs"),
        ({"type": "TransferLearning", "parent_tuning_jobs": ["a", "a"]}, "/warm_start/parent_tuning_jobs"),
        ({"type": "TransferLearning", "parent_tuning_jobs": ["-a"]}, "/warm_start/parent_tuning_jobs/0"),
        ({"type": "TransferLearning", "parent_tuning_jobs": ["a" * 33]}, "/warm_start/parent_tuning_jobs/0"),
        ({"type": "TransferLearning"}, "/warm_start/parent_tuning_jobs"),
    ],
)
def test_a_warm_start_names_its_type_and_parents(checked: Checked, given: dict[str, Any], path: str) -> None:
    assert [one[0] for one in refused(checked, warm_start=given)] == [path]


def test_a_job_name_is_as_short_as_that_of_a_tuning_job(checked: Checked) -> None:
    made = checked(model_name="a-model-with-a-long-name-indeed-of-forty-two").parameters["JobName"]
    assert len(made) <= 32
    assert "tuner" in made
    assert checked(job_name="j" * 32).parameters["JobName"] == "j" * 32
    (told,) = refused(checked, job_name="j" * 33)
    assert told[0] == "/job_name"


def test_ranges_longer_than_a_template_parameter_are_refused(checked: Checked) -> None:
    long = {f"{name:050}": ["categorical", [f"{value:06}" for value in range(30)]] for name in range(20)}
    told = refused(
        checked,
        hyperparameters_ranges=long,
        model_framework="sklearn",
        model_framework_version="1.2-1",
        algo_hyperparameters={"sagemaker_program": "train.py"},
    )
    assert [one[0] for one in told] == ["/hyperparameters_ranges"]
    assert "bytes as JSON" in told[0][1]
