# SPDX-License-Identifier: Apache-2.0
"""Hyperparameters of the built-in algorithms: wrong ones are refused at the door, where the table is sure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.images import uris
from chalicelib.intake import hyperparameters
from chalicelib.intake.check import check_request
from chalicelib.settings import Settings
from mlops.local.containers.xgboost.hyperparameters import RULES
from tools.hyperparameters import TABLE, XGBOOST, written

Check = Callable[..., tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]]
ALGORITHMS = json.loads(TABLE.read_text("utf-8"))["algorithms"]
GOOD = {"num_round": 10, "objective": "binary:logistic"}


@pytest.fixture
def told(catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]) -> Check:
    """The problems and the warnings of a training request with these hyperparameters."""

    def check(given: dict[str, Any], framework: str = "xgboost", version: str = "1.7-1") -> Any:
        body = example("model_training_builtin")
        body |= {"algo_hyperparameters": given, "model_framework": framework, "model_framework_version": version}
        try:
            found = check_request(json.dumps(body).encode(), catalog, settings)
        except BadRequest as refused:
            return [(one.path, one.problem, one.hint) for one in refused.problems], []
        return [], [(one.path, one.problem, one.hint) for one in found.warnings]

    return check


@pytest.mark.parametrize(
    ("change", "problem", "hint"),
    [
        ({"eta": 7}, "'7' is not a valid eta for xgboost", "a number, at least 0 and at most 1"),
        ({"eta": "fast"}, "'fast' is not a valid", "a number, at least 0 and at most 1"),
        ({"eta": "1e400"}, "'1e400' is not a valid", "a number"),
        ({"eta": "nan"}, "'nan' is not a valid", "a number"),
        ({"eta": "auto"}, "'auto' is not a valid", "a number"),
        ({"eta": ""}, "'' is not a valid", "a number"),
        ({"subsample": 0}, "'0' is not a valid", "a number, above 0 and at most 1"),
        ({"num_round": 0}, "'0' is not a valid", "a whole number, at least 1"),
        ({"num_round": 2.5}, "'2.5' is not a valid", "a whole number, at least 1"),
        ({"num_round": "5.0"}, "'5.0' is not a valid", "a whole number, at least 1"),
        ({"max_depth": -1}, "'-1' is not a valid", "a whole number, at least 0"),
        ({"objective": "binary:logistc"}, "'binary:logistc' is not a valid", "did you mean 'binary:logistic'?"),
        ({"objective": "Binary:Logistic"}, "'Binary:Logistic' is not a valid", "did you mean 'binary:logistic'?"),
        ({"booster": "forest"}, "'forest' is not a valid", "one of gbtree, gblinear, dart"),
        ({"eval_metric": "auc,eror"}, "'eror' is not a valid", "did you mean 'error'?"),
        ({"save_model_on_termination": "yes"}, "'yes' is not a valid", "one of true, false"),
        ({"eta": "x" * 2000}, "'xxx", "a number"),
    ],
)
def test_a_value_that_the_algorithm_refuses_is_an_error(
    told: Check, change: dict[str, Any], problem: str, hint: str
) -> None:
    ((path, what, what_instead),), _ = told({**GOOD, **change})
    (name,) = change
    assert path == f"/algo_hyperparameters/{name}"
    assert what.startswith(problem)
    assert what_instead.startswith(hint)
    assert len(what) < 200


def test_every_wrong_one_and_every_missing_one_is_told_at_once(told: Check) -> None:
    problems, _ = told({"eta": 7, "objective": "multi:softmax", "max_depth": "deep"})
    assert [(path.rpartition("/")[2], problem, hint) for path, problem, hint in problems] == [
        ("eta", "'7' is not a valid eta for xgboost", "a number, at least 0 and at most 1"),
        ("max_depth", "'deep' is not a valid max_depth for xgboost", "a whole number, at least 0"),
        ("num_class", "is missing", "xgboost requires a whole number, at least 2 if objective is 'multi:softmax'"),
        ("num_round", "is missing", "xgboost requires a whole number, at least 1"),
    ]


def test_a_misspelt_one_that_is_needed_is_told(told: Check) -> None:
    ((path, problem, hint),), _ = told({"num_rounds": 5})
    assert (path, problem) == ("/algo_hyperparameters/num_round", "is missing")
    assert hint == "xgboost requires a whole number, at least 1; did you mean num_round instead of 'num_rounds'?"


def test_an_unknown_one_is_taken_with_a_warning(told: Check) -> None:
    problems, warnings = told({**GOOD, "max_dept": 3, "a/b": 1, "_kfold": 3, "_mine": 1})
    assert problems == []
    assert warnings == [
        (
            "/algo_hyperparameters/max_dept",
            "is not a known hyperparameter of xgboost",
            "did you mean 'max_depth'?",
        ),
        ("/algo_hyperparameters/a~1b", "is not a known hyperparameter of xgboost", ""),
    ]


@pytest.mark.parametrize(
    "given",
    [
        {**GOOD, "eta": 0.1, "gamma": "4", "alpha": 1e-3, "base_score": -1.5, "seed": -7, "subsample": ".5"},
        {**GOOD, "eval_metric": ["auc", "error@0.7"], "tree_method": "hist", "updater": "prune,refresh"},
        {**GOOD, "eval_metric": "auc, ndcg@5-", "csv_weights": 1, "monotone_constraints": "(1,-1)"},
        {"num_round": 1, "objective": "multi:softprob", "num_class": 3, "save_model_on_termination": True},
        {
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": "s3://the-assets/k.tar.gz",
            "eta": 7,
            "mine": "x",
        },
        {"sagemaker_program": "train.py"},
    ],
)
def test_good_ones_and_script_mode_are_taken_as_they_are(told: Check, given: dict[str, Any]) -> None:
    assert told(given) == ([], [])


def test_a_list_that_may_be_longer_in_a_newer_version_gives_a_warning(told: Check) -> None:
    problems, warnings = told({**GOOD, "objective": "reg:expectileerror"}, version="3.2-0")
    assert (problems, [path for path, _, _ in warnings]) == ([], ["/algo_hyperparameters/objective"])
    problems, _ = told({**GOOD, "objective": "binary:logistc"}, version="1.7")
    assert [path for path, _, _ in problems] == ["/algo_hyperparameters/objective", "/model_framework_version"]
    problems, _ = told({**GOOD, "eta": 7}, version="3.2-0")
    assert [path for path, _, _ in problems] == ["/algo_hyperparameters/eta"]


@pytest.mark.parametrize(
    ("framework", "version", "given", "wrong"),
    [
        ("linear-learner", "1", {"predictor_type": "regressor", "wd": "auto", "use_bias": "True"}, []),
        ("linear-learner", "1", {"predictor_type": "multiclass_classifier"}, ["num_classes"]),
        ("linear-learner", "1", {"predictor_type": "regresor", "momentum": 1}, ["momentum", "predictor_type"]),
        ("kmeans", "1", {"k": 1, "feature_dim": 3, "extra_center_factor": "auto"}, []),
        ("kmeans", "1", {"k": 0}, ["feature_dim", "k"]),
        ("knn", "1", {"k": 3, "dimension_reduction_type": "sign", "predictor_type": "classifier", "sample_size": 9},
         ["dimension_reduction_target", "feature_dim"]),
        ("pca", "1", {"num_components": 2, "feature_dim": 3, "mini_batch_size": 5, "extra_components": -1}, []),
        ("randomcutforest", "1", {"num_trees": 10}, ["feature_dim", "num_trees"]),
        ("ntm", "1", {"feature_dim": 3, "num_topics": 2000}, ["num_topics"]),
        ("tensorflow", "2.13", {"eta": 7}, []),
    ],
)  # fmt: skip
def test_each_algorithm_has_its_own(
    told: Check, framework: str, version: str, given: dict[str, Any], wrong: list[str]
) -> None:
    problems, _ = told(given, framework, version)
    assert [path for path, _, _ in problems] == [f"/algo_hyperparameters/{name}" for name in wrong]


def test_the_table_is_of_algorithms_that_sagemaker_has_images_for() -> None:
    assert set(ALGORITHMS) <= set(uris.table()["frameworks"])
    versions = uris.table()["frameworks"]["xgboost"]["training"]
    assert set(ALGORITHMS["xgboost"]["listed"]) <= set(versions)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_the_table_holds_together(algorithm: str) -> None:
    entry = ALGORITHMS[algorithm]
    takes = entry["takes"]
    assert set(entry["required"]) <= set(takes)
    for name, values, needed in entry.get("needs", []):
        assert needed in takes
        assert set(values) <= set(takes[name][1])
    for rule in takes.values():
        assert hyperparameters.wanted(rule)


def test_the_written_table_is_what_the_tool_makes() -> None:
    table = json.loads(TABLE.read_text("utf-8"))
    assert table["algorithms"]["xgboost"] == XGBOOST
    assert written(table) == TABLE.read_text("utf-8")


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_laptops_container_agrees(name: str) -> None:
    """What the door takes for XGBoost, the container on the laptop reads; names are the same."""
    kind, *about = XGBOOST["takes"].get(name, ["text"])
    assert name in XGBOOST["takes"] or name.startswith("_")
    for value in about[0] if kind in ("one", "some") else []:
        RULES[name](value)


def test_the_table_is_small() -> None:
    assert TABLE.stat().st_size < 16_000
