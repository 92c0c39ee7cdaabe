# SPDX-License-Identifier: Apache-2.0
"""A request that takes its model from a pipeline: what it stands for, and what is said where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chalicelib.aws.observed import Action, Execution, Job, Stack, StateMachineRun
from chalicelib.aws.port import PipelineGone
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest, Conflict
from chalicelib.intake.check import check_request
from chalicelib.intake.references import PIPELINE, Reference
from chalicelib.planning import plan
from chalicelib.provisioning.resolve import PAGE, ResolvedModel, resolve
from chalicelib.settings import Settings

NAME = "mlops-pipeline-m-modeltraining"
DELIVERY = Stack(
    "id",
    f"{NAME}-codepipeline",
    "CREATE_COMPLETE",
    parameters={"StackName": NAME},
    outputs={"PipelineName": "the-pipeline"},
    tags={"mlops_orchestrator": "mlops-orchestrator"},
)


def job(name: str, **changes: Any) -> Job:
    return replace(
        Job("TrainingJob", name, "Completed", artifact=f"s3://the-assets/out/{name}/model.tar.gz", is_model=True),
        **changes,
    )


class Past:
    """A cloud whose pipeline has run: executions, each with its job."""

    def __init__(self, *runs: tuple[str, Job | None], delivery: Stack = DELIVERY, gone: bool = False) -> None:
        self.delivery, self.gone = delivery, gone
        self.runs = [Execution(f"run-{number}", status) for number, (status, _) in enumerate(runs)]
        self.jobs = {
            f"arn:aws:states:::execution:{run.id}": made for run, (_, made) in zip(self.runs, runs, strict=True)
        }

    def stack(self, name: str) -> Stack | None:
        return self.delivery if name == self.delivery.name else None

    def executions(self, pipeline: str, limit: int, token: str) -> tuple[list[Execution], str]:
        if self.gone:
            raise PipelineGone
        begin = int(token or 0)
        rest = begin + limit < len(self.runs)
        return self.runs[begin : begin + limit], str(begin + limit) if rest else ""

    def actions(self, pipeline: str, execution_id: str) -> list[Action]:
        source = Action("Source", "S3Source", "Succeeded", "version-1")
        return [Action("Run", "run_jobs", "Succeeded", f"arn:aws:states:::execution:{execution_id}"), source]

    def state_machine_run(self, execution_arn: str) -> StateMachineRun:
        made = self.jobs[execution_arn]
        return StateMachineRun((made.kind, made.name) if made else None)

    def job(self, kind: str, name: str) -> Job | None:
        (found,) = [made for made in self.jobs.values() if made and (made.kind, made.name) == (kind, name)]
        return found


@pytest.fixture
def request_body(example: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    body = example("byom_realtime_builtin")
    del body["model_artifact_location"]
    return {**body, "model_from": NAME}


def find(settings: Settings, cloud: Any) -> ResolvedModel:
    found = resolve({"model_from": Reference(PIPELINE, NAME)}, settings, cloud)["model_from"]
    assert isinstance(found, ResolvedModel)
    return found


def test_the_model_is_that_of_the_last_successful_run(settings: Settings) -> None:
    cloud = Past(
        ("InProgress", None), ("Failed", job("failed")), ("Succeeded", job("second")), ("Succeeded", job("first"))
    )
    found = find(settings, cloud)
    assert found.value == "out/second/model.tar.gz"
    assert found.document() == {
        "pipeline": NAME,
        "run": "run-2",
        "job": {"kind": "TrainingJob", "name": "second"},
        "artifact": "s3://the-assets/out/second/model.tar.gz",
    }


def test_a_success_is_found_behind_a_page_of_failures(settings: Settings) -> None:
    cloud = Past(*[("Failed", None)] * (PAGE + 3), ("Succeeded", job("old")))
    assert find(settings, cloud).job.name == "old"


@pytest.mark.parametrize("runs", [[], [("Failed", None)], [("Failed", None), ("Stopped", None)]])
def test_a_pipeline_that_never_succeeded_is_a_409_that_says_what_to_do(settings: Settings, runs: list[Any]) -> None:
    with pytest.raises(Conflict) as refused:
        find(settings, Past(*runs))
    assert refused.value.retry_after is None
    (problem,) = refused.value.problems
    assert (problem.path, "rerun the pipeline" in problem.hint) == ("/model_from", True)


@pytest.mark.parametrize(
    "cloud",
    [Past(("InProgress", None), ("Failed", None)), Past(delivery=replace(DELIVERY, outputs={}))],
    ids=["running", "being made"],
)
def test_a_pipeline_that_is_still_on_its_way_is_waited_for(settings: Settings, cloud: Past) -> None:
    with pytest.raises(Conflict) as refused:
        find(settings, cloud)
    assert refused.value.retry_after


def test_a_pipeline_that_was_deleted_has_no_run(settings: Settings) -> None:
    with pytest.raises(Conflict) as refused:
        find(settings, Past(gone=True))
    assert refused.value.retry_after is None


@pytest.mark.parametrize(
    ("cloud", "words"),
    [
        (
            Past(delivery=replace(DELIVERY, name="mlops-pipeline-other-modeltraining-codepipeline")),
            "there is no pipeline",
        ),
        (Past(delivery=replace(DELIVERY, tags={})), "there is no pipeline"),
        (Past(("Succeeded", None)), "no job that created a model"),
        (Past(("Succeeded", job("transform", is_model=False))), "no job that created a model"),
        (Past(("Succeeded", job("elsewhere", artifact="s3://the-assets-of-others/m.tar.gz"))), "is not in the assets"),
        (Past(("Succeeded", job("own", own_containers=True))), "is served by containers of its own"),
    ],
)
def test_what_makes_no_model_of_ours_is_a_400(settings: Settings, cloud: Past, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        find(settings, cloud)
    (problem,) = refused.value.problems
    assert problem.path == "/model_from"
    assert words in problem.problem
    assert problem.hint


def test_a_newer_model_makes_an_equal_request_a_changed_one(
    catalog: Catalog, settings: Settings, request_body: dict[str, Any]
) -> None:
    raw = json.dumps(request_body).encode()
    assert check_request(raw, catalog, settings).unresolved == {"model_from": Reference(PIPELINE, NAME)}
    plans = [
        plan.make(check_request(raw, catalog, settings, resolved={"model_from": key}), settings, catalog)
        for key in ("out/first/model.tar.gz", "out/first/model.tar.gz", "out/second/model.tar.gz")
    ]
    assert plans[0] == plans[1]
    assert plans[0].digest != plans[2].digest
    assert plans[2].stages[0].parameters["ModelArtifactLocation"] == "out/second/model.tar.gz"
    named = {**request_body, "model_artifact_location": "out/second/model.tar.gz"}
    del named["model_from"]
    assert plan.make(check_request(json.dumps(named).encode(), catalog, settings), settings, catalog) == plans[2]


def test_a_request_names_its_model_once(catalog: Catalog, settings: Settings, request_body: dict[str, Any]) -> None:
    both = {**request_body, "model_artifact_location": "out/model.tar.gz"}
    with pytest.raises(BadRequest) as refused:
        check_request(json.dumps(both).encode(), catalog, settings)
    (problem,) = refused.value.problems
    assert (problem.path, problem.hint) == ("/model_artifact_location", "remove one of them")
    assert "/model_from" in problem.problem
    del both["model_from"], both["model_artifact_location"]
    with pytest.raises(BadRequest) as refused:
        check_request(json.dumps(both).encode(), catalog, settings)
    (problem,) = refused.value.problems
    assert (problem.path, problem.problem) == ("/model_artifact_location", "is missing")
    assert "`model_from`" in problem.hint


@pytest.mark.parametrize("wrong", ["arn:aws:cloudformation:x", "a b", 7, "s3://bucket/model", "x" * 129])
def test_a_name_that_no_pipeline_can_have_is_refused_before_it_is_looked_up(
    catalog: Catalog, settings: Settings, request_body: dict[str, Any], wrong: Any
) -> None:
    with pytest.raises(BadRequest) as refused:
        check_request(json.dumps({**request_body, "model_from": wrong}).encode(), catalog, settings)
    assert [problem.path for problem in refused.value.problems] == ["/model_from"]


def test_a_request_takes_its_model_from_a_pipeline_or_from_the_registry(
    catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]
) -> None:
    body = {**example("byom_realtime_builtin.registry"), "model_from": NAME}
    for switch in (False, True):
        with pytest.raises(BadRequest) as refused:
            check_request(json.dumps(body).encode(), catalog, replace(settings, use_model_registry=switch))
        (problem,) = refused.value.problems
        assert (problem.path, problem.hint) == ("/model_from", "remove one of them")
        assert "/model_package_name" in problem.problem
