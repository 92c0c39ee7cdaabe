# SPDX-License-Identifier: Apache-2.0
"""CodePipeline: the delivery pipelines, their executions and their state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from chalicelib import names
from chalicelib.aws.calls import Calls, code, translate_errors
from chalicelib.aws.observed import Action, Execution
from chalicelib.aws.port import Document, InvalidNextToken, PipelineGone

if TYPE_CHECKING:
    from mypy_boto3_codepipeline.type_defs import ActionExecutionDetailTypeDef, PipelineExecutionSummaryTypeDef

_STOPPED_HERE = "A request to the orchestrator stopped the run."
_STOPPED_ALREADY = ("DuplicatedStopRequestException", "PipelineExecutionNotStoppableException")


class _Page(TypedDict, total=False):
    nextToken: str


class Pipelines(Calls):
    """Calls to CodePipeline."""

    @translate_errors
    def latest_execution(self, pipeline: str) -> Execution | None:
        with _pipeline_gone():
            listed = self.codepipeline.list_pipeline_executions(pipelineName=pipeline, maxResults=1)
        return next(map(_execution, listed["pipelineExecutionSummaries"]), None)

    @translate_errors
    def executions(self, pipeline: str, limit: int, token: str) -> tuple[list[Execution], str]:
        page: _Page = {"nextToken": token} if token else {}
        with _pipeline_gone():
            listed = self.codepipeline.list_pipeline_executions(pipelineName=pipeline, maxResults=limit, **page)
        return [_execution(one) for one in listed["pipelineExecutionSummaries"]], listed.get("nextToken", "")

    @translate_errors
    def actions(self, pipeline: str, execution_id: str) -> list[Action]:
        with _pipeline_gone():
            listed = self.codepipeline.list_action_executions(
                pipelineName=pipeline, filter={"pipelineExecutionId": execution_id}, maxResults=100
            )
        return [_action(one) for one in listed["actionExecutionDetails"]]

    @translate_errors
    def start(self, pipeline: str, version: str, token: str) -> str:
        started = self.codepipeline.start_pipeline_execution(
            name=pipeline,
            clientRequestToken=token,
            sourceRevisions=[
                {
                    "actionName": names.SOURCE_ACTION,
                    "revisionType": "S3_OBJECT_VERSION_ID",
                    "revisionValue": version,
                }
            ],
        )
        return str(started["pipelineExecutionId"])

    @translate_errors
    def stop(self, pipeline: str, execution_id: str, abandon: bool) -> None:
        from botocore.exceptions import ClientError

        try:
            with _pipeline_gone():
                self.codepipeline.stop_pipeline_execution(
                    pipelineName=pipeline, pipelineExecutionId=execution_id, abandon=abandon, reason=_STOPPED_HERE
                )
        except ClientError as error:
            if code(error) not in _STOPPED_ALREADY:
                raise

    @translate_errors
    def pipeline_state(self, pipeline: str) -> Document:
        with _pipeline_gone():
            state = self.codepipeline.get_pipeline_state(name=pipeline)
        content = {key: value for key, value in state.items() if key != "ResponseMetadata"}
        document: Document = json.loads(json.dumps(content, default=_iso))
        return document


@contextmanager
def _pipeline_gone() -> Iterator[None]:
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        match code(error):
            case "PipelineNotFoundException":
                raise PipelineGone from error
            case "InvalidNextTokenException":
                raise InvalidNextToken from error
        raise


def _execution(one: PipelineExecutionSummaryTypeDef) -> Execution:
    revisions = [
        revision.get("revisionId", "")
        for revision in one.get("sourceRevisions", [])
        if revision["actionName"] == names.SOURCE_ACTION
    ]
    return Execution(
        one["pipelineExecutionId"],
        one["status"],
        revisions[0] if revisions else "",
        one["startTime"].timestamp(),
        one.get("lastUpdateTime", one["startTime"]).timestamp(),
        one.get("statusSummary") or one.get("stopTrigger", {}).get("reason", ""),
    )


def _action(one: ActionExecutionDetailTypeDef) -> Action:
    output = one.get("output", {})
    result = output.get("executionResult", {})
    message = (result.get("errorDetails") or {}).get("message") or result.get("externalExecutionSummary") or ""
    # Of a state machine's execution the variable is documented; what the external id holds is not.
    external = output.get("outputVariables", {}).get("ExecutionArn") or result.get("externalExecutionId", "")
    url = result.get("externalExecutionUrl", "")
    return Action(one["stageName"], one["actionName"], one["status"], external, message, url)


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
