# SPDX-License-Identifier: Apache-2.0
"""Each kind of problem has its code, which clients may rely on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chalicelib import errors
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest, Code
from chalicelib.intake.check import check_request
from chalicelib.intake.query import Query
from chalicelib.settings import Settings

TRAINING, REALTIME, CUSTOM = "model_training_builtin", "byom_realtime_builtin", "byom_realtime_custom"
PACKAGES = "byom_realtime_builtin.registry"
KEY = "arn:aws:kms:{}:111122223333:alias/models"
ROUNDS = {"num_round": 1}
AUGMENTED = {"s3_data_type": "AugmentedManifestFile", "data_input_mode": "Pipe"}


@pytest.mark.parametrize(
    ("name", "change", "path", "code"),
    [
        (TRAINING, {"training_data": ""}, "/training_data", Code.MISSING),
        (TRAINING, {"algo_hyperparameters": {"eta": 0.1}}, "/algo_hyperparameters/num_round", Code.MISSING),
        (TRAINING, {"pipeline_type": ""}, "/pipeline_type", Code.MISSING),
        (TRAINING, {"pipeline_type": "training"}, "/pipeline_type", Code.NOT_ALLOWED_VALUE),
        (TRAINING, {"trainig_data": "x"}, "/trainig_data", Code.UNKNOWN_KEY),
        (TRAINING, {"target_attribute": "x"}, "/target_attribute", Code.UNUSED_KEY),
        (TRAINING, {"algo_hyperparamaters": ROUNDS}, "/algo_hyperparamaters", Code.CONFLICT),
        (TRAINING, {**AUGMENTED, "data_input_mode": "File"}, "/data_input_mode", Code.CONFLICT),
        (TRAINING, {"max_wait_time_spot_instances": 700}, "/max_wait_time_spot_instances", Code.CONFLICT),
        (REALTIME, {"model_from": "churn-modeltraining"}, "/model_artifact_location", Code.CONFLICT),
        (TRAINING, {"algo_hyperparameters": '{"num_round": 1'}, "/algo_hyperparameters", Code.INVALID_JSON),
        (TRAINING, {"algo_hyperparameters": '{"a": 1}, "b": 1'}, "/algo_hyperparameters", Code.INVALID_JSON),
        (TRAINING, {"algo_hyperparameters": '{"a": 1, "a": 2}'}, "/algo_hyperparameters", Code.DUPLICATE_KEY),
        (TRAINING, {"instance_count": "two"}, "/instance_count", Code.WRONG_TYPE),
        (REALTIME, {"inference_instance": {"dev": "ml.m5.large"}}, "/inference_instance", Code.WRONG_TYPE),
        (TRAINING, {"training_data": "s3://bucket/key"}, "/training_data", Code.WRONG_FORMAT),
        (TRAINING, {"instance_type": "m5.large"}, "/instance_type", Code.NOT_ALLOWED_VALUE),
        (TRAINING, {"instance_count": 0}, "/instance_count", Code.TOO_SMALL),
        (TRAINING, {"instance_count": 10**9}, "/instance_count", Code.TOO_LARGE),
        (TRAINING, {**AUGMENTED, "attribute_names": [""]}, "/attribute_names/0", Code.TOO_SHORT),
        (TRAINING, {"job_name": "a" * 64}, "/job_name", Code.TOO_LONG),
        (TRAINING, {"model_name": "a" * 120}, "/model_name", Code.TOO_LONG),
        (TRAINING, {"training_data": "é" * 600}, "/training_data", Code.TOO_LONG),
        (
            TRAINING,
            {"algo_hyperparameters": {f"_{number}": "x" * 400 for number in range(20)} | ROUNDS},
            "/algo_hyperparameters",
            Code.TOO_LONG,
        ),
        (TRAINING, {**AUGMENTED, "attribute_names": ["a"] * 99}, "/attribute_names", Code.TOO_MANY),
        (REALTIME, {"data_capture_location": "elsewhere/x"}, "/data_capture_location", Code.NOT_REACHABLE),
        (TRAINING, {"model_framework": "xgbost"}, "/model_framework", Code.UNKNOWN_FRAMEWORK),
        (TRAINING, {"model_framework_version": "99"}, "/model_framework_version", Code.UNKNOWN_VERSION),
        (TRAINING, {"model_framework": "sparkml-serving"}, "/model_framework", Code.NO_IMAGE),
        (
            TRAINING,
            {"algo_hyperparameters": {**ROUNDS, "eta": 7}},
            "/algo_hyperparameters/eta",
            Code.WRONG_HYPERPARAMETER,
        ),
        (
            TRAINING,
            {"algo_hyperparameters": {**ROUNDS, "etta": 7}},
            "/algo_hyperparameters/etta",
            Code.UNKNOWN_HYPERPARAMETER,
        ),
        (TRAINING, {"kms_key_arn": KEY.format("eu-west-1")}, "/kms_key_arn", Code.OTHER_REGION),
        (
            TRAINING,
            {"kms_key_arn": KEY.format("us-east-1"), "instance_type": "ml.g5.xlarge"},
            "/kms_key_arn",
            Code.NOT_APPLIED,
        ),
        (REALTIME, {"model_from": "a", "model_artifact_location": ""}, "/model_from", Code.RESOLVED_LATER),
        (
            PACKAGES,
            {"model_package_name": "arn:aws:sagemaker:us-east-1:123456789012:model-package/churn"},
            "/model_package_name",
            Code.NO_PACKAGE_VERSION,
        ),
    ],
)  # fmt: skip
def test_a_problem_has_the_code_of_its_kind(
    name: str,
    change: dict[str, Any],
    path: str,
    code: Code,
    catalog: Catalog,
    settings: Settings,
    example: Callable[[str], dict[str, Any]],
) -> None:
    deployment = replace(settings, use_model_registry=name == PACKAGES)
    try:
        checked = check_request(json.dumps({**example(name), **change}).encode(), catalog, deployment)
        found = list(checked.warnings)
    except BadRequest as refused:
        found = refused.problems
    assert (path, code) in [(one.path, one.code) for one in found]
    assert (path, code.name.lower()) in [(one.document()["path"], one.document()["code"]) for one in found]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", Code.INVALID_JSON),
        (b"{", Code.INVALID_JSON),
        (b'{"a": "\xff"}', Code.INVALID_JSON),
        (b'{"a": NaN}', Code.INVALID_JSON),
        (b"[]", Code.WRONG_TYPE),
        (b"[" * 30, Code.TOO_DEEP),
        (b'{"a": 1, "a": 1}', Code.DUPLICATE_KEY),
        (b'{"a": 1e400}', Code.TOO_LARGE),
        (b'{"a": "{% $x %}"}', Code.UNSAFE_TEXT),
        (b'{"a": "\\u0000"}', Code.UNSAFE_TEXT),
        (b'{"a": "' + b"x" * 70_000 + b'"}', Code.TOO_LONG),
    ],
)
def test_a_body_that_is_no_request_has_a_code(raw: bytes, code: Code, catalog: Catalog, settings: Settings) -> None:
    with pytest.raises(BadRequest) as refused:
        check_request(raw, catalog, settings)
    assert [problem.code for problem in refused.value.problems] == [code]


def test_query_parameters_have_codes() -> None:
    query = Query({"limit": "ten", "prefix": "a/b", "names_only": "1", "nmaes_only": "1"})
    query.number("limit", 25, 100)
    query.name("prefix")
    query.flag("names_only")
    with pytest.raises(BadRequest) as refused:
        query.done()
    assert {problem.path: problem.code for problem in refused.value.problems} == {
        "/limit": Code.NOT_ALLOWED_VALUE,
        "/prefix": Code.WRONG_FORMAT,
        "/names_only": Code.NOT_ALLOWED_VALUE,
        "/nmaes_only": Code.UNKNOWN_KEY,
    }


def test_every_code_is_in_use() -> None:
    sources = list(Path(errors.__file__).parent.rglob("*.py"))
    used = set(re.findall(r"\bCode\.([A-Z_]+)", "".join(path.read_text("utf-8") for path in sources)))
    assert used == {code.name for code in Code}
