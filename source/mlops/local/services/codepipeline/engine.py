# SPDX-License-Identifier: Apache-2.0
"""Moves an execution through its stages, each action with the pipeline's role.

An execution is a thread. In a stage, the actions of one run order run side by side, in threads of their own.
"""

from __future__ import annotations

import logging
import threading
import uuid
from itertools import count

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.codepipeline import events
from mlops.local.services.codepipeline.actions import PROVIDERS, Abandoned, ActionFailed, Run
from mlops.local.services.codepipeline.actions.base import explain
from mlops.local.services.codepipeline.records import (
    SERVICE,
    Record,
    executions,
    fail_action,
    now,
    pipeline_arn,
    pipelines,
    show_action,
)
from mlops.local.services.codepipeline.stages import Doors, Stopped, Superseded
from mlops.local.services.codepipeline.variables import UnknownVariable, resolve

_log = logging.getLogger(__name__)
_doors: dict[str, Doors] = {}
_sequence = count()


def start(
    pipeline: Record,
    trigger: str,
    caller: Caller,
    *,
    revisions: list[Record] | None = None,
    variables: dict[str, str] | None = None,
    token: str | None = None,
) -> Record:
    """A new execution of a pipeline as it is now; it runs on by itself."""
    declaration, moment = pipeline["declaration"], now()
    execution_id = str(uuid.uuid4())
    execution: Record = {
        "pipelineName": declaration["name"],
        "pipelineVersion": declaration["version"],
        "pipelineExecutionId": execution_id,
        "status": "InProgress",
        "sequence": next(_sequence),
        "startTime": moment,
        "lastUpdateTime": moment,
        "attempt": 1,
        "trigger": {"triggerType": trigger, "triggerDetail": caller.arn},
        "clientRequestToken": token,
        "executionMode": declaration.get("executionMode", "SUPERSEDED"),
        "declaration": declaration,
        "requestedRevisions": revisions or [],
        "artifactRevisions": [],
        "sourceRevisions": [],
        "variables": variables or {},
        "artifacts": {},
        "actions": [],
        "stageStatuses": {},
        "namespaces": {"codepipeline": {"PipelineExecutionId": execution_id}, "variables": variables or {}},
    }
    executions[execution_id] = execution
    events.pipeline_changed(execution, "STARTED", caller)
    identity.spawn(_run, execution, 0, set(), caller)
    return execution


def retry(execution: Record, stage: str, done: set[str], caller: Caller) -> None:
    """Run a stage again, but for the actions in `done`, and go on from there."""
    names = [one["name"] for one in execution["declaration"]["stages"]]
    for key in ("stopRequested", "abandoned", "stopReason", "statusSummary"):
        execution.pop(key, None)
    execution.update(status="InProgress", lastUpdateTime=now(), attempt=execution["attempt"] + 1)
    events.pipeline_changed(execution, "RESUMED", caller)
    identity.spawn(_run, execution, names.index(stage), done, caller)


def stop(execution: Record, abandon: bool, caller: Caller) -> None:
    """Stop once the running actions have ended, or leave them behind at once."""
    events.pipeline_changed(execution, "STOPPING", caller)
    if not abandon:
        return
    execution["abandoned"] = True
    for action in execution["actions"]:
        if action["status"] == "InProgress":
            action.update(status="Abandoned", lastUpdateTime=now())
            show_action(execution, action)
            events.action_changed(execution, action, "ABANDONED", caller)
    for stage, status in list(execution["stageStatuses"].items()):
        if status == "InProgress":
            _show_stage(execution, stage, "Stopped", caller)
    finish(execution, "Stopped", caller)


def finish(execution: Record, status: str, caller: Caller) -> None:
    execution.update(status=status, lastUpdateTime=now())
    events.pipeline_changed(execution, "CANCELED" if status == "Cancelled" else status.upper(), caller)


# --- stages --------------------------------------------------------------------------------------------------


def _run(execution: Record, first: int, done: set[str], caller: Caller) -> None:
    try:
        status = _run_stages(execution, first, done, caller)
    except Superseded:
        status = "Superseded"
    except (Stopped, Abandoned):
        status = "Stopped"
    except Exception:
        _log.exception("execution %s failed", execution["pipelineExecutionId"])
        status = "Failed"
        execution["statusSummary"] = "An internal error occurred in the laptop account; see its log."
    if execution["status"] in ("InProgress", "Stopping"):
        finish(execution, status, caller)


def _run_stages(execution: Record, first: int, done: set[str], caller: Caller) -> str:
    doors = _doors.setdefault(pipeline_arn(execution["pipelineName"], caller), Doors())
    for stage in execution["declaration"]["stages"][first:]:
        doors.enter(execution, stage["name"])
        try:
            _show_stage(execution, stage["name"], "InProgress", caller)
            status = _run_stage(execution, stage, done, caller)
            if not execution.get("abandoned"):
                _show_stage(execution, stage["name"], status, caller)
        finally:
            doors.leave(execution, stage["name"])
        if execution.get("stopRequested"):  # whatever became of the actions that were waited for
            return "Stopped"
        if status != "Succeeded":
            return status
        done = set()
    return "Succeeded"


def _run_stage(execution: Record, stage: Record, done: set[str], caller: Caller) -> str:
    waiting = [action for action in stage["actions"] if action["name"] not in done]
    for order in sorted({action.get("runOrder", 1) for action in waiting}):
        group = [action for action in waiting if action.get("runOrder", 1) == order]
        statuses: list[str] = []
        threads = [identity.spawn(_run_action, execution, stage["name"], action, caller, statuses) for action in group]
        _join(threads)
        if any(status != "Succeeded" for status in statuses) or len(statuses) != len(group):
            return "Stopped" if execution.get("abandoned") else "Failed"
        if execution.get("stopRequested"):
            return "Stopped"
    return "Succeeded"


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


def _show_stage(execution: Record, name: str, status: str, caller: Caller) -> None:
    execution["stageStatuses"][name] = status
    execution["lastUpdateTime"] = now()
    pipeline = pipelines.get(execution["pipelineName"])
    if pipeline is not None:
        pipeline["stageStates"].setdefault(name, {})["latestExecution"] = {
            "pipelineExecutionId": execution["pipelineExecutionId"],
            "status": status,
            "type": "STANDARD",
        }
    state = {"InProgress": "STARTED"}.get(status, status.upper())
    events.stage_changed(execution, name, state, caller)


# --- actions -------------------------------------------------------------------------------------------------


def _run_action(execution: Record, stage: str, declared: Record, caller: Caller, statuses: list[str]) -> None:
    record = _new_action(execution, stage, declared, caller)
    execution["actions"].append(record)
    show_action(execution, record)
    events.action_changed(execution, record, "STARTED", caller)
    try:
        run = _prepare(execution, record, declared, caller)
        kind = declared["actionTypeId"]
        PROVIDERS[kind["category"], kind["owner"], kind["provider"], kind["version"]].run(run)
    except Abandoned:
        statuses.append("Abandoned")  # whoever stopped the execution has shown it
        return
    except ActionFailed as failure:
        fail_action(execution, record, failure.code, str(failure))
    except UnknownVariable as error:
        fail_action(execution, record, "ConfigurationError", str(error))
    except ApiError as error:
        fail_action(execution, record, "PermissionError", error.message)
    except (ClientError, BotoCoreError) as error:
        refusal = explain(error)
        fail_action(execution, record, refusal.code, str(refusal))
    except Exception as error:
        _log.exception("action %s failed", declared["name"])
        fail_action(execution, record, "InternalError", f"An internal error occurred: {error}")
    else:
        if namespace := declared.get("namespace"):
            execution["namespaces"][namespace] = run.variables
        record["output"]["outputVariables"] = run.variables
        record.update(status="Succeeded", lastUpdateTime=now())
    show_action(execution, record)
    events.action_changed(execution, record, record["status"].upper(), caller)
    statuses.append(record["status"])


def _new_action(execution: Record, stage: str, declared: Record, caller: Caller) -> Record:
    moment = now()
    inputs = [
        {"name": artifact["name"], "s3location": execution["artifacts"][artifact["name"]]}
        for artifact in declared.get("inputArtifacts", [])
        if artifact["name"] in execution["artifacts"]
    ]
    given: Record = {
        "actionTypeId": declared["actionTypeId"],
        "configuration": declared.get("configuration", {}),
        "region": caller.region,
        "inputArtifacts": inputs,
    }
    for key in ("roleArn", "namespace"):
        if declared.get(key):
            given[key] = declared[key]
    return {
        "pipelineExecutionId": execution["pipelineExecutionId"],
        "actionExecutionId": str(uuid.uuid4()),
        "pipelineVersion": execution["pipelineVersion"],
        "stageName": stage,
        "actionName": declared["name"],
        "startTime": moment,
        "lastUpdateTime": moment,
        "status": "InProgress",
        "input": given,
        "output": {},
    }


def _prepare(execution: Record, record: Record, declared: Record, caller: Caller) -> Run:
    configuration = {
        key: resolve(value, execution["namespaces"]) for key, value in declared.get("configuration", {}).items()
    }
    record["input"]["resolvedConfiguration"] = configuration
    declaration = execution["declaration"]
    store = declaration.get("artifactStore") or declaration["artifactStores"][caller.region]
    return Run(
        execution=execution,
        action=record,
        configuration=configuration,
        caller=caller,
        artifact_store=store,
        session=_session(declaration, declared, caller),
        input_names=[artifact["name"] for artifact in declared.get("inputArtifacts", [])],
        output_names=[artifact["name"] for artifact in declared.get("outputArtifacts", [])],
    )


def _session(declaration: Record, declared: Record, caller: Caller) -> boto3.Session:
    arn = pipeline_arn(declaration["name"], caller)
    session = identity.role_session(declaration["roleArn"], SERVICE, caller, source_arn=arn)
    if not declared.get("roleArn"):
        return session
    assumed = session.client("sts").assume_role(RoleArn=declared["roleArn"], RoleSessionName="codepipeline")
    return identity.session_of(assumed["Credentials"], caller)
