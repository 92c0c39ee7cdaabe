# SPDX-License-Identifier: Apache-2.0
"""Step Functions: what AWS refuses and ministack lets through."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.job_kinds import JOB_KINDS

from mlops.local.cloudformation.resources import ResourceFailed
from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import cloudformation, router, stepfunctions
from mlops.local.stepfunctions import tasks


def install() -> None:
    cloudformation.check_changes(_check_state_machine)
    router.answer_first("states", _refuse_deleted_state_machine)
    stepfunctions.check_tasks(_check_task)


def _check_state_machine(change: cloudformation.Change) -> None:
    """The role must trust Step Functions, and may make the rules that `.sync` tasks wait with."""
    if change.type_name != "AWS::StepFunctions::StateMachine" or change.operation == "delete":
        return
    caller, role_arn = identity.current_caller(), change.new["RoleArn"]
    name = change.new.get("StateMachineName") or f"{change.stack['StackName']}-{change.logical_id}"
    machine = f"arn:aws:states:{caller.region}:{caller.account_id}:stateMachine:{name}"
    role = Caller(caller.account_id, caller.region, identity.session_arn(role_arn, "states"))
    definition = json.dumps(change.new.get("Definition") or change.new.get("DefinitionString") or "")
    try:
        identity.check_role(role_arn, "states.amazonaws.com", caller, machine)
        for kind in JOB_KINDS.values():
            if not kind.events_rule or f":{kind.integration}" not in definition:
                continue
            rule = f"arn:aws:events:{caller.region}:{caller.account_id}:rule/{kind.events_rule}"
            for action in ("events:PutRule", "events:PutTargets", "events:DescribeRule"):
                identity.authorize(role, action, [rule])
    except ApiError as error:
        problem = (
            f"'{role_arn}' is not authorized to create managed-rule"
            if error.code.startswith("Access")
            else error.message
        )
        raise ResourceFailed(
            f'Resource handler returned message: "{problem}." (HandlerErrorCode: AccessDenied)'
        ) from error


def _refuse_deleted_state_machine(request: router.Request) -> router.Response | None:
    """The versions of a state machine go with it; ministack keeps them, and fails when one is started."""
    if not request.headers.get("x-amz-target", "").endswith(".StartExecution"):
        return None
    arn = str(json.loads(request.body or b"{}").get("stateMachineArn", ""))
    if not arn.startswith("arn:") or stepfunctions.has_state_machine(arn):
        return None
    refusal = {"__type": "StateMachineDoesNotExist", "message": f"State Machine Does Not Exist: '{arn}'"}
    return 400, {"content-type": "application/x-amz-json-1.0"}, json.dumps(refusal).encode()


# --- tasks that ministack runs -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Integration:
    """An optimized integration of ministack's, and what it needs."""

    action: str
    denial: str  # the error of a state whose role may not
    target: Callable[[dict[str, Any]], str] = lambda arguments: "*"  # the resource that the action is on


_INTEGRATIONS = {
    "lambda:invoke": _Integration(
        "lambda:InvokeFunction", "Lambda.AWSLambdaException", lambda arguments: arguments.get("FunctionName", "")
    ),
    "sns:publish": _Integration(
        "sns:Publish", "SNS.AuthorizationErrorException", lambda arguments: arguments.get("TopicArn") or "*"
    ),
    "events:putEvents": _Integration("events:PutEvents", "EventBridge.AccessDeniedException"),
}


def _check_task(resource: str, arguments: dict[str, Any]) -> None:
    """A Task may do what its state machine's role may. What we cannot check, ministack does not run."""
    if tasks.serves(resource) or ":activity:" in resource:
        return
    if resource.startswith("arn:aws:lambda:"):
        resource, arguments = "arn:aws:states:::lambda:invoke", {"FunctionName": resource}
    integration = _INTEGRATIONS.get(resource.removeprefix("arn:aws:states:::").split(".")[0])
    if integration is None:
        raise stepfunctions.task_error("States.Runtime", f"The laptop account does not support {resource}.")
    caller, target = identity.current_caller(), integration.target(arguments)
    if integration.action == "lambda:InvokeFunction" and not target.startswith("arn:"):
        target = f"arn:aws:lambda:{caller.region}:{caller.account_id}:function:{target}"
    try:
        identity.authorize(caller, integration.action, [target])
    except ApiError as refusal:
        raise stepfunctions.task_error(integration.denial, refusal.message) from refusal
