# SPDX-License-Identifier: Apache-2.0
"""What is wrong is named as what it is, and the hint says what to write."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import check_request
from chalicelib.settings import Settings

TRAINING, REALTIME = "model_training_builtin", "byom_realtime_builtin"
BROKEN = {"num_round": 1, "a": "1\n2"}


@pytest.mark.parametrize(
    ("example_name", "change", "path", "problem", "hint"),
    [
        (TRAINING, {"job_output_location": "*"}, "/job_output_location", "", "wildcards"),
        (TRAINING, {"training_data": "a?b"}, "/training_data", "", "wildcards"),
        (TRAINING, {"training_data": "arn:aws:s3:::b/k"}, "/training_data", "", "only the key"),
        (TRAINING, {"training_data": "https://b.s3.amazonaws.com/k"}, "/training_data", "", "only the key"),
        (TRAINING, {"training_data": "s3://b/data/k.csv"}, "/training_data", "", "'data/k.csv'"),
        (TRAINING, {"training_data": "é" * 600}, "/training_data", "1200 bytes", "at most 1024"),
        (REALTIME, {"data_capture_location": "other/x"}, "/data_capture_location", "'other'", "DataBuckets"),
        (REALTIME, {"data_capture_location": "b..c/x"}, "/data_capture_location", "not a bucket and a path", ""),
        (REALTIME, {"data_capture_location": "192.168.1.1/x"}, "/data_capture_location", "not a bucket and a path", ""),
        (REALTIME, {"data_capture_location": "bucket"}, "/data_capture_location", "", "add a path"),
        (TRAINING, {"model_name": None}, "/model_name", "is null, not a string", "for example"),
        (TRAINING, {"validation_data": None}, "/validation_data", "is null", "omit the key"),
        (TRAINING, {"training_data": True}, "/training_data", "is true, not a string", ""),
        (TRAINING, {"instance_count": "many"}, "/instance_count", "is 'many', a string, not a whole number", ""),
        (TRAINING, {"algo_hyperparameters": '{"a": NaN}'}, "/algo_hyperparameters", "NaN is not JSON", ""),
        (TRAINING, {"algo_hyperparameters": '{"a": 1,'}, "/algo_hyperparameters", "invalid JSON: ", ""),
        (TRAINING, {"algo_hyperparameters": BROKEN}, "/algo_hyperparameters/a", "is not one line", ""),
        (TRAINING, {"model_framework": "xgbost"}, "/model_framework", "", "did you mean 'xgboost'?"),
        (TRAINING, {"model_framework_version": "99"}, "/model_framework_version", "99", ""),
        (TRAINING, {"instance_type": "m5.large"}, "/instance_type", "", "did you mean 'ml.m5.large'?"),
        (TRAINING, {"data_input_mode": "file"}, "/data_input_mode", "", "did you mean 'File'?"),
    ],
)
def test_one_mistake_is_one_problem(
    example_name: str,
    change: dict[str, Any],
    path: str,
    problem: str,
    hint: str,
    catalog: Catalog,
    settings: Settings,
    example: Callable[[str], dict[str, Any]],
) -> None:
    with pytest.raises(BadRequest) as refused:
        check_request(json.dumps({**example(example_name), **change}).encode(), catalog, settings)
    (found,) = refused.value.problems
    assert found.path == path
    assert problem in found.problem
    assert hint in found.hint


@pytest.mark.parametrize(
    "change",
    [
        {"model_framework": "XGBoost"},
        {"model_framework": " xgboost "},
        {"compression_type": "None"},
        {"data_record_wrapping": "None"},
        {"training_data": " b/train.csv "},
        {"training_data": "a folder/with späces/"},
        {"training_data": "k" * 955},
    ],
)
def test_what_can_be_meant_is_taken(
    change: dict[str, Any], catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]
) -> None:
    assert check_request(json.dumps({**example(TRAINING), **change}).encode(), catalog, settings).parameters


def test_a_wrong_name_does_not_hide_a_wrong_version(
    catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]
) -> None:
    body = {**example(TRAINING), "model_name": "-", "model_framework_version": "1.9-1"}
    with pytest.raises(BadRequest) as refused:
        check_request(json.dumps(body).encode(), catalog, settings)
    assert {problem.path for problem in refused.value.problems} == {"/model_name", "/model_framework_version"}
