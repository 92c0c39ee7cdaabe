# SPDX-License-Identifier: Apache-2.0
"""A field that refers to something -> what it stands for: of a pipeline, the model of its last successful run.

A group of model packages stands for its latest approved version (resolve_package.py). The lookup calls AWS, so it runs
between two checks of the request, and the plan stays pure (law 3): the first check finds the field, the second replaces
it by what it stands for. A newer model makes the same request a changed one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib.aws.observed import RUNNING, SUCCEEDED, Execution, Job, Stack
from chalicelib.aws.port import Cloud, PipelineGone
from chalicelib.errors import BadRequest, Code, Conflict, NotFound, Problem
from chalicelib.intake.references import MODEL_PACKAGE, Reference
from chalicelib.names import PIPELINE_OUTPUT, of_delivery_stack
from chalicelib.provisioning.resolve_package import resolve_package
from chalicelib.provisioning.steps import RETRY_LATER
from chalicelib.quoting import shown
from chalicelib.settings import Settings
from chalicelib.status.finding import find

PAGE, PAGES = 100, 10  # of executions; AWS keeps them for a year


class Resolved(Protocol):
    """What a field was resolved to."""

    @property
    def value(self) -> str:
        """The value of the field that takes its place."""

    def document(self) -> dict[str, Any]:
        """For the API's response."""


@dataclass(frozen=True)
class ResolvedModel:
    """A model, and the run and the job that created it."""

    pipeline: str
    run: str
    job: Job
    value: str  # its key in the assets bucket

    def document(self) -> dict[str, Any]:
        """For the API's response."""
        return {
            "pipeline": self.pipeline,
            "run": self.run,
            "job": {"kind": self.job.kind, "name": self.job.name},
            "artifact": self.job.artifact,
        }


def resolve(unresolved: Mapping[str, Reference], settings: Settings, cloud: Cloud) -> dict[str, Resolved]:
    """What each field stands for.

    Raises BadRequest if a pipeline does not create models or a group does not exist, Conflict if there is no model yet,
    or none is approved.
    """
    return {name: _resolved(f"/{name}", reference, settings, cloud) for name, reference in unresolved.items()}


def _resolved(path: str, reference: Reference, settings: Settings, cloud: Cloud) -> Resolved:
    if reference.kind == MODEL_PACKAGE:
        return resolve_package(path, reference.value, settings, cloud)
    return _model(path, reference.value, settings, cloud)


def _model(path: str, name: str, settings: Settings, cloud: Cloud) -> ResolvedModel:
    try:
        delivery = find(name, settings, cloud)
    except NotFound as error:
        hint = "the name that /provisionpipeline returned; mlops list lists the names"
        raise _bad_request(
            path, Code.UNKNOWN_PIPELINE, f"there is no pipeline {shown(name)} in this deployment", hint
        ) from error
    execution = _last_success(path, delivery, cloud)
    job = _job(delivery.outputs[PIPELINE_OUTPUT], execution, cloud)
    if job is None or not (job.is_model and job.artifact):
        hint = "use the name of a training pipeline; if its last run is more than 90 days old, rerun it"
        problem = f"the last successful run of {name} has no job that created a model"
        raise _bad_request(path, Code.NO_MODEL, problem, hint)
    if job.own_containers:
        hint = "register the model: add model_package_group_name to its pipeline's request; then use model_package_name"
        problem = (
            f"the model of {name} is served by containers of its own, which need more than an image and an artifact"
        )
        raise _bad_request(path, Code.NO_MODEL, problem, hint)
    ours = f"s3://{settings.assets_bucket}/"
    if not job.artifact.startswith(ours):
        problem = f"{job.artifact}, the model of {name}, is not in the assets bucket"
        raise _bad_request(path, Code.NOT_REACHABLE, problem, f"copy it to {ours}")
    return ResolvedModel(of_delivery_stack(delivery.name), execution.id, job, job.artifact.removeprefix(ours))


def _last_success(path: str, delivery: Stack, cloud: Cloud) -> Execution:
    pipeline = delivery.outputs.get(PIPELINE_OUTPUT)
    name = of_delivery_stack(delivery.name)
    runs: bool = pipeline is None
    token = ""
    try:
        for _ in range(PAGES if pipeline else 0):
            assert pipeline is not None
            executions, token = cloud.executions(pipeline, PAGE, token)
            for execution in executions:
                if execution.status == SUCCEEDED:
                    return execution
                runs = runs or execution.status in RUNNING
            if not token:
                break
    except PipelineGone:
        runs = False
    hint = (
        "resend the request when the run has succeeded"
        if runs
        else "see the reason with /pipelinestatus, then rerun the pipeline"
    )
    conflict = Conflict(f"{name} has no successful run yet.", retry_after=RETRY_LATER if runs else None)
    conflict.problems = [Problem(path, Code.NO_SUCCESSFUL_RUN, f"{name} has no successful run yet", hint)]
    raise conflict


def _job(pipeline: str, execution: Execution, cloud: Cloud) -> Job | None:
    for action in cloud.actions(pipeline, execution.id):
        if ":states:" in action.external and (job := cloud.state_machine_run(action.external).job):
            return cloud.job(*job)
    return None


def _bad_request(path: str, code: Code, problem: str, hint: str) -> BadRequest:
    return BadRequest("The model of that pipeline cannot be used", [Problem(path, code, problem, hint)])
