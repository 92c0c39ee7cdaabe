# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent is either planned or refused with problems that name their field: nothing else happens."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import check_request
from chalicelib.planning import plan
from chalicelib.settings import Settings
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as some

from tests.support import blueprint_folders

EXAMPLES = [json.loads(path.read_bytes()) for path in blueprint_folders.EXAMPLES]
ODD = [
    "",
    " ",
    "x",
    "a b",
    "../x",
    "s3://b/k",
    "/k",
    "k//j",
    "a\n",
    "-a",
    "[]",
    "{}",
    "[1",
    "True",
    "yes",
    "1e3",
    "٣",
    "ml.m5.large",
    "arn:aws:kms:us-east-1:123456789012:key/abc",
    "1.7-1",
    "{{resolve:ssm:x}}",
    "a" * 300,
    "é" * 3000,
]
values = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(max_size=30)
    | some.sampled_from(ODD),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = sorted(
    {"rerun", "odd", *(key for folder in blueprint_folders.FOLDERS for key in blueprint_folders.fields(folder))}
)
changes = some.dictionaries(some.sampled_from(fields) | some.text(max_size=8), values, min_size=1, max_size=5)


def try_one(body: dict[str, Any], catalog: Catalog, deployment: Settings) -> None:
    planned, refusal = None, None
    try:
        planned = plan.make(check_request(json.dumps(body).encode(), catalog, deployment), deployment, catalog)
    except BadRequest as refused:
        refusal = refused
    if refusal:
        assert refusal.problems
        assert 400 <= refusal.status < 500
        assert all(problem.problem for problem in refusal.problems)
        assert all(problem.path == "" or problem.path.startswith("/") for problem in refusal.problems)
    if planned:
        for stage in planned.stages:
            assert all(isinstance(value, str) and len(value.encode()) <= 4096 for value in stage.parameters.values())
            assert len(stage.stack) <= 128
        assert len(planned.delivery_stack) <= 128


@given(example=some.sampled_from(EXAMPLES), change=changes, registry=some.booleans())
@trying(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_example_is_planned_or_refused(
    example: dict[str, Any], change: dict[str, Any], registry: bool, catalog: Catalog, settings: Settings
) -> None:
    try_one({**example, **change}, catalog, replace(settings, use_model_registry=registry))


@pytest.mark.slow
@given(example=some.sampled_from(EXAMPLES), change=changes, registry=some.booleans())
@trying(max_examples=30_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_very_many_changed_examples_are_planned_or_refused(
    example: dict[str, Any], change: dict[str, Any], registry: bool, catalog: Catalog, settings: Settings
) -> None:
    try_one({**example, **change}, catalog, replace(settings, use_model_registry=registry))


@given(raw=some.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
@trying(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_with_a_reason(raw: bytes, catalog: Catalog, settings: Settings) -> None:
    with pytest.raises(BadRequest) as refused:
        check_request(raw, catalog, settings)
    assert refused.value.problems
