# SPDX-License-Identifier: Apache-2.0
"""What CodePipeline lets people do: make pipelines, start and stop executions, approve, tag."""

from __future__ import annotations

from typing import Any

from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.codepipeline import engine, polling, structure
from mlops.local.services.codepipeline.records import (
    RUNNING,
    Record,
    api,
    executions,
    executions_of,
    find_execution,
    find_pipeline,
    find_stage,
    now,
    pipeline_arn,
    pipelines,
)

Request = dict[str, Any]

# --- pipelines -------------------------------------------------------------------------------------------------


@api.operation("CreatePipeline")
def create_pipeline(request: Request, caller: Caller) -> Record:
    declaration = {**request["pipeline"], "version": 1}
    with pipelines.lock:
        if declaration["name"] in pipelines:
            raise ApiError(
                "PipelineNameInUseException",
                f"A pipeline with the name '{declaration['name']}' already exists in account '{caller.account_id}'",
            )
        structure.check(declaration, caller)
        pipeline = pipelines[declaration["name"]] = {
            "declaration": declaration,
            "versions": {"1": declaration},
            "tags": request.get("tags", []),
            "created": now(),
            "updated": now(),
            "stageStates": {},
        }
    polling.watch(declaration["name"], caller)
    if _has_all_variables(declaration):
        engine.start(pipeline, "CreatePipeline", caller, variables=_variables(declaration, {}))
    return {"pipeline": declaration, "tags": pipeline["tags"]}


@api.operation("GetPipeline")
def get_pipeline(request: Request, caller: Caller) -> Record:
    pipeline = find_pipeline(request["name"])
    version = request.get("version", pipeline["declaration"]["version"])
    if str(version) not in pipeline["versions"]:
        raise ApiError(
            "PipelineVersionNotFoundException", f"Pipeline '{request['name']}' does not have a version {version}"
        )
    return {
        "pipeline": pipeline["versions"][str(version)],
        "metadata": {
            "pipelineArn": pipeline_arn(request["name"], caller),
            "created": pipeline["created"],
            "updated": pipeline["updated"],
        },
    }


@api.operation("UpdatePipeline")
def update_pipeline(request: Request, caller: Caller) -> Record:
    pipeline = find_pipeline(request["pipeline"]["name"])
    with pipelines.lock:
        version = pipeline["declaration"]["version"] + 1
        declaration = {**request["pipeline"], "version": version}
        structure.check(declaration, caller)
        stages = {stage["name"] for stage in declaration["stages"]}
        pipeline.update(
            declaration=declaration,
            updated=now(),
            stageStates={name: state for name, state in pipeline["stageStates"].items() if name in stages},
        )
        pipeline["versions"][str(version)] = declaration
    polling.watch(declaration["name"], caller)
    return {"pipeline": declaration}


@api.operation("DeletePipeline")
def delete_pipeline(request: Request, caller: Caller) -> None:
    """Deleting what isn't there succeeds, as on AWS. Running actions end when they next look."""
    with pipelines.lock:
        for execution in executions_of(request["name"]):
            del executions[execution["pipelineExecutionId"]]
        pipelines.pop(request["name"], None)


@api.operation("DisableStageTransition")
def disable_stage_transition(request: Request, caller: Caller) -> None:
    _set_transition(request, caller, enabled=False)


@api.operation("EnableStageTransition")
def enable_stage_transition(request: Request, caller: Caller) -> None:
    _set_transition(request, caller, enabled=True)


def _set_transition(request: Request, caller: Caller, enabled: bool) -> None:
    pipeline = find_pipeline(request["pipelineName"])
    _check_stage_exists(pipeline, request["stageName"])
    state = {
        "enabled": enabled,
        "lastChangedBy": caller.arn,
        "lastChangedAt": now(),
        "disabledReason": request.get("reason"),
    }
    pipeline["stageStates"].setdefault(request["stageName"], {})["inboundTransitionState"] = {
        key: value for key, value in state.items() if value is not None
    }


def _check_stage_exists(pipeline: Record, name: str) -> Record:
    return find_stage({**pipeline["declaration"], "pipelineName": pipeline["declaration"]["name"]}, name)


# --- executions ------------------------------------------------------------------------------------------------


@api.operation("StartPipelineExecution")
def start_pipeline_execution(request: Request, caller: Caller) -> Record:
    pipeline, token = find_pipeline(request["name"]), request.get("clientRequestToken")
    with executions.lock:
        for execution in executions_of(request["name"]) if token else []:
            if execution["clientRequestToken"] == token:
                return {"pipelineExecutionId": execution["pipelineExecutionId"]}
        declaration, revisions = pipeline["declaration"], request.get("sourceRevisions", [])
        _check_revisions(declaration, revisions)
        given = {variable["name"]: variable["value"] for variable in request.get("variables", [])}
        execution = engine.start(
            pipeline,
            "StartPipelineExecution",
            caller,
            revisions=revisions,
            token=token,
            variables=_variables(declaration, given),
        )
    return {"pipelineExecutionId": execution["pipelineExecutionId"]}


def _check_revisions(declaration: Record, revisions: list[Record]) -> None:
    sources = {action["name"] for action in declaration["stages"][0]["actions"]}
    for revision in revisions:
        if revision["actionName"] not in sources:
            raise ApiError(
                "ValidationException",
                f"There is no source action '{revision['actionName']}' in pipeline '{declaration['name']}'",
            )
        if not revision["revisionType"].startswith("S3_"):
            raise ApiError(
                "ValidationException",
                f"The revision type {revision['revisionType']} is not one of "
                f"the source action '{revision['actionName']}'",
            )
    if revisions and declaration.get("pipelineType", "V1") != "V2":
        raise ApiError("ValidationException", "Source revisions are supported only in pipelines of type V2")


def _variables(declaration: Record, given: dict[str, str]) -> dict[str, str]:
    declared = {variable["name"]: variable.get("defaultValue") for variable in declaration.get("variables", [])}
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise ApiError(
            "ValidationException",
            f"Pipeline '{declaration['name']}' does not declare the variable(s) {', '.join(unknown)}",
        )
    values = {**declared, **given}
    missing = sorted(name for name, value in values.items() if value is None)
    if missing:
        raise ApiError("ValidationException", f"No value and no default for the variable(s) {', '.join(missing)}")
    return {name: str(value) for name, value in values.items()}


def _has_all_variables(declaration: Record) -> bool:
    return all("defaultValue" in variable for variable in declaration.get("variables", []))


@api.operation("StopPipelineExecution")
def stop_pipeline_execution(request: Request, caller: Caller) -> Record:
    execution_id = request["pipelineExecutionId"]
    try:
        execution = find_execution(request["pipelineName"], execution_id)
    except ApiError as error:
        if error.code == "PipelineNotFoundException":
            raise
        raise ApiError("PipelineExecutionNotStoppableException", error.message) from error
    abandon = request.get("abandon", False)
    if execution["status"] not in RUNNING:
        raise ApiError(
            "PipelineExecutionNotStoppableException",
            f"Pipeline execution {execution_id} is not in progress; it is {execution['status']}",
        )
    if execution["status"] == "Stopping" and not abandon:
        raise ApiError("DuplicatedStopRequestException", f"Pipeline execution {execution_id} is already stopping")
    execution.update(status="Stopping", stopRequested=True, lastUpdateTime=now())
    if reason := request.get("reason"):
        execution.update(stopReason=reason, statusSummary=reason)
    engine.stop(execution, abandon, caller)
    return {"pipelineExecutionId": execution_id}


@api.operation("RetryStageExecution")
def retry_stage_execution(request: Request, caller: Caller) -> Record:
    pipeline = find_pipeline(request["pipelineName"])
    stage = request["stageName"]
    _check_stage_exists(pipeline, stage)
    latest = pipeline["stageStates"].get(stage, {}).get("latestExecution", {})
    execution = executions.get(request["pipelineExecutionId"])
    if execution is None or latest.get("pipelineExecutionId") != request["pipelineExecutionId"]:
        raise ApiError(
            "NotLatestPipelineExecutionException",
            f"{request['pipelineExecutionId']} is not the latest execution of stage '{stage}'",
        )
    if execution["status"] in RUNNING or latest["status"] not in ("Failed", "Stopped"):
        raise ApiError("StageNotRetryableException", f"Stage '{stage}' is not in a failed state")
    if execution["declaration"]["version"] != pipeline["declaration"]["version"]:
        raise ApiError(
            "StageNotRetryableException", f"The pipeline has changed since execution {request['pipelineExecutionId']}"
        )
    done: set[str] = set()
    if request["retryMode"] == "FAILED_ACTIONS":
        last = {
            action["actionName"]: action["status"] for action in execution["actions"] if action["stageName"] == stage
        }
        done = {name for name, status in last.items() if status == "Succeeded"}
    engine.retry(execution, stage, done, caller)
    return {"pipelineExecutionId": execution["pipelineExecutionId"]}


@api.operation("PutApprovalResult")
def put_approval_result(request: Request, caller: Caller) -> Record:
    pipeline = find_pipeline(request["pipelineName"])
    stage = _check_stage_exists(pipeline, request["stageName"])
    if request["actionName"] not in [action["name"] for action in stage["actions"]]:
        raise ApiError(
            "ActionNotFoundException", f"Stage '{stage['name']}' does not have an action '{request['actionName']}'"
        )
    for execution in executions_of(request["pipelineName"]):
        for action in execution["actions"]:
            if action.get("token") == request["token"] and action["actionName"] == request["actionName"]:
                if action["status"] != "InProgress" or "approval" in action:
                    raise ApiError("ApprovalAlreadyCompletedException", "The approval has already been answered")
                action["approval"] = {**request["result"], "by": caller.arn}
                return {"approvedAt": now()}
    raise ApiError("InvalidApprovalTokenException", "No approval is waiting for this token")


# --- tags ------------------------------------------------------------------------------------------------------


@api.operation("ListTagsForResource")
def list_tags_for_resource(request: Request, caller: Caller) -> Record:
    return {"tags": _tagged(request["resourceArn"])["tags"]}


@api.operation("TagResource")
def tag_resource(request: Request, caller: Caller) -> Record:
    pipeline = _tagged(request["resourceArn"])
    new = {tag["key"]: tag for tag in [*pipeline["tags"], *request["tags"]]}
    if len(new) > 50:
        raise ApiError("TooManyTagsException", "A pipeline may have up to 50 tags")
    pipeline["tags"] = list(new.values())
    return {}


@api.operation("UntagResource")
def untag_resource(request: Request, caller: Caller) -> Record:
    pipeline = _tagged(request["resourceArn"])
    pipeline["tags"] = [tag for tag in pipeline["tags"] if tag["key"] not in request["tagKeys"]]
    return {}


def _tagged(arn: str) -> Record:
    name = arn.rsplit(":", 1)[-1].split("/", maxsplit=1)[0]
    if name not in pipelines:
        raise ApiError("ResourceNotFoundException", f"There is no resource {arn}")
    return pipelines[name]
