# SPDX-License-Identifier: Apache-2.0
"""The demo's data and scores."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from mlops.cli import offline
from mlops.cli.failures import Failure
from mlops.cli.request_file import filled
from mlops.demo import in_aws, scores, story, tour
from mlops.sample import dataset


def test_the_data_is_the_copy_its_readme_names() -> None:
    digest = hashlib.sha256(dataset.FILE.read_bytes()).hexdigest()
    assert digest in (dataset.FILE.parent / "README.md").read_text("utf-8")


def test_the_split_is_whole_and_has_no_row_twice() -> None:
    split = dataset.load()
    assert [len(split.train), len(split.validation), len(split.unseen)] == [341, 114, 114]
    rows = split.train + split.validation + split.unseen
    assert len({row.measurements for row in rows}) == 569
    assert sum(row.malignant for row in rows) == 212


def test_training_rows_have_the_label_first() -> None:
    split = dataset.load()
    first = dataset.labelled(split.train).decode().splitlines()[0].split(",")
    assert len(first) == 31
    assert first[0] == str(int(split.train[0].malignant))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.1, 0.4, 0.35, 0.8], 0.75), ([0.0, 0.1, 0.8, 0.9], 1.0), ([0.5, 0.5, 0.5, 0.5], 0.5)],
)
def test_auc(values: list[float], expected: float) -> None:
    assert scores.auc([False, False, True, True], values) == expected


def test_the_pipelines_that_are_deleted_are_those_that_were_requested() -> None:
    requested = [story.request(name, offline.OUTPUTS) for name in ("realtime", "training")]
    assert tuple(offline.check(one, "us-east-1").name for one in requested) == in_aws.PIPELINES


@pytest.mark.parametrize("path", sorted(tour.REQUESTS.glob("*.json")), ids=lambda path: path.stem)
def test_the_tours_requests_are_valid(path: Path) -> None:
    values = {
        **offline.OUTPUTS,
        "Model": "tour-training",
        "Package": "arn:aws:sagemaker:us-east-1:111122223333:model-package/tour/1",
        "ECRRepoName": "images",
        "SageMakerModelName": "model",
        "Algorithm": "XGBoost",
        "Evaluation": "68 of 69",
    }
    verdict = offline.check(filled(path.read_bytes(), lambda: values), "us-east-1")
    assert verdict.problems == []


def test_the_tour_has_the_rows_that_autopilot_requires_and_keeps_some_for_the_comparison() -> None:
    split = dataset.load(*dataset.LARGER)
    assert [len(split.train), len(split.validation), len(split.unseen)] == [403, 97, 69]
    header, *rows = dataset.table(split.train + split.validation).decode().splitlines()
    assert len(rows) == 500
    assert header.endswith(",malignant")
    assert {row.count(",") for row in [header, *rows]} == {30}


VERSION = "arn:aws:states:us-east-1:123456789012:stateMachine:MLOpsTraining-1a2b:7"
STARTED = {"executionResult": {"externalExecutionId": "arn:aws:states:us-east-1:123456789012:execution:one:two"}}
REFUSED = {"executionResult": {"errorDetails": {"code": "JobFailed", "message": "Invalid ARN"}}}


class Connection:
    """CodePipeline and Step Functions that answer one thing each."""

    def __init__(self, output: dict[str, Any], ran: str) -> None:
        self._output, self._ran = output, ran

    @property
    def session(self) -> Connection:
        return self

    def client(self, service: str) -> Connection:
        return self

    def list_action_executions(self, pipelineName: str) -> dict[str, Any]:
        configuration = {"resolvedConfiguration": {"StateMachineArn": VERSION}}
        return {"actionExecutionDetails": [{"actionName": "run_jobs", "input": configuration, "output": self._output}]}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        return {"stateMachineVersionArn": self._ran}


def checked(output: dict[str, Any], ran: str = VERSION) -> str:
    connection: Any = Connection(output, ran)
    return in_aws.the_version_was_run(connection, {"pipelineName": "one"})


def test_a_version_that_was_run_is_named() -> None:
    assert checked(STARTED) == f"{VERSION} was run"


def test_a_version_that_codepipeline_does_not_take_is_told_with_the_way_out() -> None:
    with pytest.raises(Failure, match=f"CodePipeline did not start {VERSION}: Invalid ARN") as failed:
        checked(REFUSED)
    assert "#{DeployVariables.StateMachineArn}" in failed.value.hint


def test_another_version_than_the_deployed_one_is_told() -> None:
    with pytest.raises(Failure, match=f"CodePipeline started {VERSION}6 instead of"):
        checked(STARTED, ran=f"{VERSION}6")


def test_the_way_out_is_there_for_every_blueprint(catalog_folder: Path) -> None:
    """The delivery template can start the state machine itself: each blueprint that is run has its ARN as an output."""
    delivery = (catalog_folder / "delivery" / "single.yaml").read_text()
    assert "#{DeployVariables.StateMachineVersionArn}" in delivery
    for template in catalog_folder.glob("*.yaml"):
        text = template.read_text()
        if "StateMachineVersionArn:" in text:
            assert "\n  StateMachineArn:\n" in text, template.name
