# SPDX-License-Identifier: Apache-2.0
"""`mlops delete` and shortened names, against an API that responds as the test tells it to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from .scripted_api import Api, Response, command, environment, mlops, serving
from .terminals import on_a_terminal

NAME = "mlops-pipeline-churn-modeltraining"
STAYS = ["the data in the bucket assets"]
LISTED = "pipelines?prefix={}&limit=100&names_only=true"


def step(message: str = "", deleted: bool = False, *left: str) -> Response:
    body = {"message": message, "name": NAME, "deleted": deleted, "deletes": list(left), "stays": STAYS}
    return (200 if deleted or not message else 202), {}, body


def refused(status: int, message: str, retry_after: str = "", **more: str) -> Response:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return status, headers, {"message": message, "errors": [], "request_id": "r", **more}


PLANNED = step("", False, NAME, f"{NAME}-codepipeline")
DEPLOYED = step(f"The stack {NAME} is being deleted.", False, NAME)
DELIVERY = step(f"The stack {NAME}-codepipeline is being deleted.", False, f"{NAME}-codepipeline")
DONE = step(f"The pipeline {NAME} is deleted.", True)
MISSING = refused(404, "There is no pipeline")
STATUS: dict[str, Any] = {"pipeline": {"name": NAME, "outputs": {"SageMakerEndpointName": "live"}}}


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as found:
        found.responses = {f"{NAME}?dry_run=true": [PLANNED], "pipelinestatus": [(200, {}, STATUS)]}
        yield found


def test_a_pipeline_is_deleted_step_by_step(api: Api) -> None:
    api.responses[NAME] = [DEPLOYED, DEPLOYED, DELIVERY, DONE]
    done = mlops(api, "delete", NAME, "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"✓ The pipeline {NAME} is deleted."]
    assert done.stderr.count(f"The stack {NAME} is being deleted.") == 1
    assert "Kept:\n  the data in the bucket assets\n" in done.stderr


def test_the_document_is_the_last_answer(api: Api) -> None:
    api.responses[NAME] = [DEPLOYED, DONE]
    done = mlops(api, "delete", NAME, "--yes", "--json")
    assert json.loads(done.stdout) == DONE[2]


def test_a_dry_run_only_shows(api: Api) -> None:
    done = mlops(api, "delete", NAME, "--dry-run")
    assert done.returncode == 0
    assert f"Will be deleted:\n  stack {NAME}\n" in done.stderr
    assert "endpoint live" in done.stderr
    assert [route for route, _ in api.bodies] == [f"{NAME}?dry_run=true", "pipelinestatus"]


def test_without_a_terminal_it_does_not_ask_and_does_not_delete(api: Api) -> None:
    done = mlops(api, "delete", NAME)
    assert done.returncode == 1
    assert "use --yes" in done.stderr
    assert NAME not in [route for route, _ in api.bodies]


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_on_a_terminal_it_asks(api: Api, answer: str, code: int) -> None:
    api.responses[NAME] = [DONE]
    exit_code, shown = on_a_terminal(command(api, "delete", NAME), environment(api), typed=f"{answer}\n")
    assert exit_code == code
    assert f"Delete {NAME}?" in shown
    assert (NAME in [route for route, _ in api.bodies]) == (code == 0)


def test_what_is_left_from_before_is_waited_for(api: Api) -> None:
    api.responses[NAME] = [refused(409, "The stack could not be deleted", "60"), DELIVERY, DONE]
    done = mlops(api, "delete", NAME, "--yes")
    assert done.returncode == 0, done.stderr
    assert "The stack could not be deleted" in done.stderr


def test_a_deletion_that_fails_is_an_error_with_its_reason(api: Api) -> None:
    api.responses[NAME] = [DEPLOYED, refused(409, "The stack could not be deleted", "60", detail="Endpoint: in use")]
    done = mlops(api, "delete", NAME, "--yes")
    assert done.returncode == 1
    assert "Endpoint: in use" in done.stderr


def test_what_is_gone_meanwhile_is_deleted(api: Api) -> None:
    api.responses[NAME] = [DELIVERY, refused(503, "AWS is throttling", "1"), MISSING]
    done = mlops(api, "delete", NAME, "--yes")
    assert done.returncode == 0, done.stderr
    assert "is deleted" in done.stdout


def test_a_running_pipeline_names_the_option(api: Api) -> None:
    api.responses[f"{NAME}?dry_run=true"] = [refused(409, f"The pipeline {NAME} is running")]
    api.responses[f"{NAME}?dry_run=true&stop=true"] = [PLANNED]
    done = mlops(api, "delete", NAME, "--yes")
    assert done.returncode == 1
    assert f"mlops delete {NAME} --stop" in done.stderr
    api.responses[f"{NAME}?stop=true"] = [DONE]
    assert mlops(api, "delete", NAME, "--yes", "--stop").returncode == 0


def test_a_part_of_a_name_is_enough_to_look_but_not_for_yes(api: Api) -> None:
    api.responses["churn?dry_run=true"] = [MISSING]
    api.responses[LISTED.format("churn")] = [(200, {}, {"pipelines": [{"name": NAME}]})]
    assert mlops(api, "delete", "churn", "--dry-run").returncode == 0
    done = mlops(api, "delete", "churn", "--yes")
    assert done.returncode == 1
    assert f"mlops delete {NAME} --yes" in done.stderr
    assert NAME not in [route for route, _ in api.bodies]


def test_a_name_that_several_match_lists_them(api: Api) -> None:
    names = [f"mlops-pipeline-churn-{end}" for end in "abcdefg"]
    api.responses["stop"] = [MISSING]
    api.responses[LISTED.format("churn")] = [(200, {}, {"pipelines": [{"name": name} for name in names]})]
    done = mlops(api, "stop", "churn")
    assert done.returncode == 1
    assert "'churn' matches 7 pipelines" in done.stderr
    assert f"{', '.join(names[:5])}, …" in done.stderr


def test_names_complete(api: Api) -> None:
    api.responses[LISTED.format("chu")] = [(200, {}, {"pipelines": [{"name": NAME}]})]
    api.responses[LISTED.format("other")] = [refused(403, "not allowed")]
    asking = {"_MLOPS_COMPLETE": "bash_complete", "COMP_CWORD": "2", "MLOPS_API_URL": api.url}
    for words, found in (("mlops stop chu", [f"plain,{NAME}"]), ("mlops stop other", [])):
        env = environment(api, COMP_WORDS=words, **asking)
        done = subprocess.run(command(api)[:3], capture_output=True, text=True, env=env, timeout=60)
        assert done.stdout.split() == found
        assert done.stderr == ""
