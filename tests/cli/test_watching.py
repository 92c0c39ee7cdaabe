# SPDX-License-Identifier: Apache-2.0
"""`--watch` against an API that responds as a test tells it to: waiting, cutting nothing, ending at Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .scripted_api import Api, Response, command, environment, mlops, serving
from .terminals import on_a_terminal

NAME = "mlops-pipeline-a-model-whose-name-is-longer-than-a-narrow-terminal-is-wide-modeltraining"
JOB = "a-model-whose-name-is-longer-than-a-narrow-terminal-is-wide-training-1a2b"
REASON = f"Training job {JOB}: ClientError: No S3 objects found under s3://bucket/a/{'long/' * 40}key.csv [train]"
BUSY = "Pipeline a-model is running"
ACCEPTED = (200, {}, {"message": "success: stack creation started", "pipeline_id": "arn", "name": NAME})

Answer = tuple[int, dict[str, str], dict[str, Any]]


def state(status: str, **more: Any) -> Answer:
    action = {"name": "run_jobs", "status": {"Running": "InProgress"}.get(status, status), "message": REASON}
    stages = [{"name": "Run", "status": action["status"], "execution": "1", "actions": [action]}]
    pipeline = {"name": NAME, "status": status, "stages": stages, "outputs": {"JobName": JOB}, **more}
    return 200, {}, {"pipelineName": "p", "ResponseMetadata": {"RequestId": "x"}, "pipeline": pipeline}


RUNNING, SUCCEEDED = state("Running"), state("Succeeded")
FAILED = state("Failed", reason=REASON)


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as found:
        yield found


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    path = tmp_path / "request.json"
    path.write_text("{}")
    return path


@pytest.mark.parametrize("columns", ["", "10", "40", "100000"])
def test_nothing_is_cut_in_a_pipe(api: Api, columns: str) -> None:
    api.responses = {"pipelinestatus": [RUNNING, FAILED]}
    for watch in (["--watch"], []):
        done = mlops(api, "status", NAME, *watch, **({"COLUMNS": columns} if columns else {}))
        text = done.stderr + done.stdout
        assert done.returncode == len(watch)
        assert NAME in text
        assert text.count(REASON) == 1


@pytest.mark.parametrize("width", [10, 40, 80, 500])
@pytest.mark.parametrize("watch", [["--watch"], []])
def test_nothing_is_cut_on_a_terminal(api: Api, width: int, watch: list[str]) -> None:
    job = {"kind": "TrainingJob", "name": f"only-in-the-spinner-{JOB}", "status": "InProgress", "progress": "Training"}
    api.responses = {"pipelinestatus": [state("Running", job=job), FAILED]}
    code, text = on_a_terminal(command(api, "status", NAME, *watch), environment(api), width)
    if not watch:
        api.responses = {"pipelinestatus": [FAILED]}
        code, text = on_a_terminal(command(api, "status", NAME), environment(api), width)
    assert code == len(watch)
    assert f"{NAME} " in text
    assert text.count(REASON) == 1
    if watch:
        assert "✗ Run / run_jobs: failed\n" in text
        # the spinner folds a long name, and shows all of it
        assert job["name"] in text.replace("\n", "")


def test_a_retry_after_is_waited_for_with_a_line_that_says_so(api: Api, request_file: Path) -> None:
    busy = (409, {"Retry-After": "1"}, {"message": BUSY, "errors": []})
    failing = (503, {"Retry-After": "1"}, {"message": "AWS is throttling", "errors": []})
    api.responses = {"provisionpipeline": [busy, failing, ACCEPTED], "pipelinestatus": [RUNNING, SUCCEEDED]}
    began = time.monotonic()
    done = mlops(api, "provision", request_file, "--watch")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began >= 2
    assert f"Waiting 1 s: {BUSY}\n" in done.stderr
    assert "Waiting 1 s: AWS is throttling\n" in done.stderr
    assert [route for route, _ in api.bodies][:4] == ["provisionpipeline"] * 3 + ["pipelinestatus"]
    assert f"✓ {NAME} succeeded" in done.stdout


@pytest.mark.parametrize(
    ("options", "headers", "hint"),
    [
        (["--watch", "--timeout", "1"], {"Retry-After": "15"}, "not accepted within 1 s"),
        (["--watch"], {}, ""),
        ([], {"Retry-After": "15"}, "resend the request in 15 s"),
    ],
)
def test_a_refusal_is_not_waited_for_longer(
    api: Api, request_file: Path, options: list[str], headers: dict[str, str], hint: str
) -> None:
    api.responses = {"provisionpipeline": [(409, headers, {"message": BUSY, "errors": []})]}
    done = mlops(api, "provision", request_file, *options)
    assert done.returncode == 1
    assert BUSY in done.stderr
    assert hint in done.stderr
    assert len(api.bodies) == 1


def test_a_watch_goes_on_while_aws_is_busy(api: Api) -> None:
    busy = (503, {"Retry-After": "1"}, {"message": "AWS is throttling", "errors": []})
    api.responses = {"pipelinestatus": [RUNNING, busy, SUCCEEDED]}
    done = mlops(api, "status", NAME, "--watch")
    assert done.returncode == 0, done.stderr
    assert "Waiting 1 s: AWS is throttling" in done.stderr


def test_with_json_the_answer_is_complete_however_the_pipeline_ends(api: Api, request_file: Path) -> None:
    for last, code in ((SUCCEEDED, 0), (FAILED, 1)):
        api.responses = {"provisionpipeline": [ACCEPTED], "pipelinestatus": [RUNNING, last]}
        done = mlops(api, "provision", request_file, "--watch", "--json")
        answer = json.loads(done.stdout)
        assert (done.returncode, answer["name"]) == (code, NAME)
        assert answer["status"]["pipeline"] == last[2]["pipeline"]
        assert "ResponseMetadata" not in answer["status"]


def test_json_status_is_the_document_without_response_metadata(api: Api) -> None:
    api.responses = {"pipelinestatus": [SUCCEEDED]}
    assert json.loads(mlops(api, "status", NAME, "--json").stdout) == {
        "pipelineName": "p",
        "pipeline": SUCCEEDED[2]["pipeline"],
    }


def test_the_end_of_the_run_before_is_not_taken_for_the_end_of_this_one(api: Api) -> None:
    ended = state("Failed", reason="of the run before")
    begun = state("Running")
    begun[2]["stageStates"] = [{"latestExecution": {"pipelineExecutionId": "2"}}]
    done = state("Succeeded")
    done[2]["stageStates"] = begun[2]["stageStates"]
    accepted = (200, {}, {**ACCEPTED[2], "execution_id": "2"})
    api.responses = {"provisionpipeline": [accepted], "pipelinestatus": [ended, begun, done]}
    found = mlops(api, "provision", os.devnull, "--watch")
    assert found.returncode == 0, found.stderr
    assert "of the run before" not in found.stderr


def test_an_encoding_without_the_marks_gets_others(api: Api) -> None:
    api.responses = {"pipelinestatus": [FAILED]}
    assert f"x {NAME}  failed" in mlops(api, "status", NAME, PYTHONIOENCODING="ascii").stdout
    done = mlops(api, "status", NAME, "--watch", PYTHONIOENCODING="latin-1")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"x {NAME} failed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "responses", "hang", "told"),
    [
        (["status", NAME, "--watch"], {"pipelinestatus": [RUNNING]}, 0, f"Stopped watching; {NAME} is still running"),
        (["status", NAME, "--watch"], {"pipelinestatus": [RUNNING]}, 30, f"Stopped watching; {NAME} is still running"),
        (
            ["status", NAME, "--watch"],
            {"pipelinestatus": [(503, {"Retry-After": "60"}, {"message": "busy", "errors": []})]},
            0,
            f"Stopped watching; {NAME} is still running",
        ),
        (
            ["provision", os.devnull, "--watch"],
            {"provisionpipeline": [(409, {"Retry-After": "60"}, {"message": BUSY, "errors": []})]},
            0,
            f"the request was not accepted. Still in progress: {BUSY}",
        ),
        (["provision", os.devnull, "--watch"], {"provisionpipeline": [ACCEPTED]}, 30, "it may have been accepted"),
        (["provision", os.devnull], {"provisionpipeline": [ACCEPTED]}, 30, "it may have been accepted"),
        (["status", NAME], {"pipelinestatus": [RUNNING]}, 30, "Interrupted"),
    ],
    ids=["polling", "asking", "busy", "resending", "sending", "sending-once", "asking-once"],
)
def test_ctrl_c_is_130_and_says_what_goes_on(
    api: Api, arguments: list[str], responses: dict[str, list[Response]], hang: float, told: str
) -> None:
    api.responses, api.hang = responses, hang
    with subprocess.Popen(
        command(api, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(api)
    ) as process:
        assert api.asked.wait(20)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=20)
    assert process.returncode == 130
    assert told in printed
    assert "Traceback" not in printed
