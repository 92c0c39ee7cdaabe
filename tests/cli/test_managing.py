# SPDX-License-Identifier: Apache-2.0
"""`mlops list`: against the account on the laptop, as another terminal runs it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mlops.demo import story

from .conftest import Up

TRAINING = json.loads(story.request("training"))
NAMES = [f"mlops-pipeline-manage-{end}-modeltraining" for end in "abc"]


@pytest.fixture(scope="module")
def three(up: Up) -> list[str]:
    """Three pipelines, whose runs fail soon: there is no data."""
    for end in "abc":
        body = {**TRAINING, "model_name": f"manage-{end}", "training_data": "nothing.csv", "validation_data": ""}
        done = up.mlops("provision", "-", "--watch", given=json.dumps(body))
        assert "nothing.csv" in done.stderr
    return NAMES


def listed(up: Up, *arguments: str) -> Any:
    done = up.mlops("list", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_list_tells_name_type_status_age_and_last_run(up: Up, three: list[str]) -> None:
    lines = up.mlops("list", "manage-").stdout.splitlines()
    assert len(lines) == 3
    for line, name in zip(lines, three, strict=True):
        words = line.split()
        assert words[:4] == ["✗", name, "model_training_builtin", "failed"]
        assert words[-1] == "ago"
    row = listed(up, "manage-a")["pipelines"][0]
    assert (row["name"], row["status"], row["last_run"]["status"]) == (three[0], "Failed", "Failed")
    assert row["created"] <= row["last_run"]["started"]


def test_list_pages(up: Up, three: list[str]) -> None:
    first = up.mlops("list", "manage", "--limit", "2")
    assert [line.split()[1] for line in first.stdout.splitlines()] == three[:2]
    assert f"mlops list manage --next {three[1]}" in first.stderr
    second = listed(up, "manage", "--next", three[1])
    assert [row["name"] for row in second["pipelines"]] == three[2:]
    assert "next" not in second
    every = up.mlops("list", "manage", "--limit", "1", "--all")
    assert [line.split()[1] for line in every.stdout.splitlines()] == three
    assert every.stderr == ""


def test_list_prints_names_alone_for_scripts(up: Up, three: list[str]) -> None:
    assert up.mlops("list", "mlops-pipeline-manage", "--names").stdout.splitlines() == three


def test_list_says_that_there_is_none(up: Up) -> None:
    done = up.mlops("list", "no-such")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no pipeline whose name begins with 'no-such'" in done.stderr
    assert listed(up, "no-such") == {"pipelines": []}


def test_a_wrong_parameter_is_told_with_what_is_right(up: Up) -> None:
    done = up.mlops("list", "a/b")
    assert done.returncode == 1
    assert "/prefix  cannot be a part of a pipeline's name" in done.stderr
