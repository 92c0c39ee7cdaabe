# SPDX-License-Identifier: Apache-2.0
"""The values that parameters ask for by name."""

from __future__ import annotations

from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.intake.lookups import LOOKUPS, LookupContext, LookupFailed


def job_name(body: dict[str, Any], **source: Any) -> str:
    context = LookupContext(body, {"kind": "tuning", **source}, "aws", "us-east-1", "m" * 40, "abcdef", "")
    return LOOKUPS["job_name"].find(context)


def test_a_jobs_name_is_as_long_as_its_kind_allows() -> None:
    assert job_name({}, limit=32) == "m" * 20 + "-tuning-abcd"
    assert job_name({}) == "m" * 40 + "-tuning-abcd"


def test_a_name_that_was_asked_for_is_not_cut() -> None:
    assert job_name({"job_name": "n" * 32}, limit=32) == "n" * 32
    with pytest.raises(LookupFailed) as refused:
        job_name({"job_name": "n" * 33}, limit=32)
    assert (refused.value.problem.path, refused.value.problem.hint) == ("/job_name", "at most 32")


def test_the_compiler_says_how_long_the_name_of_a_blueprints_job_may_be(catalog: Catalog) -> None:
    assert catalog.blueprint("model_training").parameters["JobName"]["limit"] == 63
