# SPDX-License-Identifier: Apache-2.0
"""`mlops list`, `history`, `logs`, `stop` and `delete` against the account on the laptop, from another terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mlops.sample import dataset

from tests.support.commands import TRAINING, Up
from tests.support.requests import LONG

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
    assert "No pipeline with a name that begins with 'no-such'" in done.stderr
    assert listed(up, "no-such") == {"pipelines": []}


def test_a_wrong_parameter_is_told_with_what_is_right(up: Up) -> None:
    done = up.mlops("list", "a/b")
    assert done.returncode == 1
    assert "cannot be part of a pipeline's name" in done.stderr


@pytest.fixture(scope="module")
def running(up: Up) -> str:
    """A pipeline whose job takes long."""
    dataset.upload(up.client("s3"), up.ready["assets_bucket"])
    body = {**TRAINING, "model_name": "manage-long", "algo_hyperparameters": LONG}
    done = up.mlops("provision", "-", "--json", given=json.dumps(body))
    assert done.returncode == 0, done.stderr
    name: str = json.loads(done.stdout)["name"]
    return name


def test_a_job_is_followed_until_it_is_stopped(up: Up, running: str) -> None:
    following = up.started("logs", "manage-l", "--follow")
    assert following.stdout
    first = following.stdout.readline()
    refused = up.mlops("delete", "manage-long-modeltraining", "--yes")
    assert refused.returncode == 1
    assert f"mlops delete {running} --stop" in refused.stderr

    done = up.mlops("stop", "manage-l")
    assert done.returncode == 0, done.stderr
    assert "is stopping" in done.stdout
    assert f"{running} stopped" in done.stdout
    rest, problems = following.communicate(timeout=60)
    assert following.returncode == 0, problems
    assert "train-logloss" in first + rest
    again = json.loads(up.mlops("stop", running, "--json").stdout)
    assert (again["executions"], again["jobs"]) == ([], [])

    told = up.mlops("history", "manage-l").stdout
    assert "stopped" in told
    assert "manage-long-training-" in told
    whole = up.mlops("logs", running).stdout
    assert first.strip() in whole
    events = json.loads(up.mlops("logs", running, "--json", "--since", "1h").stdout)["events"]
    assert first.strip() in [event["message"].strip() for event in events]


def test_history_names_the_reason_and_logs_the_lack_of_a_log(up: Up, three: list[str]) -> None:
    told = up.mlops("history", "manage-a").stdout
    assert "Reason:" in told
    assert "nothing.csv" in told
    (run,) = json.loads(up.mlops("history", three[0], "--json").stdout)["runs"]
    assert run["status"] == "Failed"
    unknown = up.mlops("logs", three[0], "--job", "nothing")
    assert unknown.returncode == 1
    assert "has no job nothing" in unknown.stderr


@pytest.mark.parametrize("command", ["stop", "delete", "history", "logs", "status", "run"])
def test_a_name_that_several_match_lists_them(up: Up, three: list[str], command: str) -> None:
    done = up.mlops(command, "manage-")
    assert done.returncode == 1
    assert "'manage-' matches" in done.stderr
    assert three[0] in done.stderr


def test_a_deleted_pipeline_is_listed_no_more(up: Up, three: list[str]) -> None:
    done = up.mlops("delete", "manage-c-modeltraining", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"The pipeline {three[2]} is deleted." in done.stdout
    assert up.ready["assets_bucket"] in done.stderr
    assert three[2] not in up.mlops("list", "manage-", "--names").stdout
    again = up.mlops("delete", three[2], "--yes")
    assert again.returncode == 1
    assert "There is no pipeline" in again.stderr
