# SPDX-License-Identifier: Apache-2.0
"""What AWS refuses and ministack lets through, for types and operations that are ministack's own."""

from __future__ import annotations

import json
from typing import Any

from mlops.local import bridge, identity
from mlops.local.errors import ApiError
from mlops.local.resources import ResourceFailed


def install() -> None:
    for check in (_check_function_code, _check_bucket_is_empty, _check_stack_policy):
        bridge.check_changes(check)
    bridge.wrap_service("cloudformation", _refuse_name_of_failed_stack)
    bridge.check_tasks(_check_task_role)
    bridge.verify_root_signatures()


# --- stacks ------------------------------------------------------------------------------------------------


def _check_function_code(change: bridge.Change) -> None:
    """A function's zip must be where its template says."""
    code = change.new.get("Code", {}) if change.type_name == "AWS::Lambda::Function" else {}
    bucket, key = code.get("S3Bucket"), code.get("S3Key")
    if bucket and key and not bridge.has_object(bucket, key, code.get("S3ObjectVersion")):
        raise ResourceFailed("Resource handler returned message: \"Error occurred while GetObject. S3 Error Code: "
                             "NoSuchKey. S3 Error Message: The specified key does not exist. "
                             f"({bucket}/{key})\" (HandlerErrorCode: InvalidRequest)")


def _check_bucket_is_empty(change: bridge.Change) -> None:
    deletes_bucket = change.operation == "delete" and change.type_name == "AWS::S3::Bucket"
    if deletes_bucket and bridge.has_objects(change.physical_id or ""):
        raise ResourceFailed("Resource handler returned message: \"The bucket you tried to delete is not empty. You "
                             "must delete all versions in the bucket.\" (HandlerErrorCode: GeneralServiceException)")


def _check_stack_policy(change: bridge.Change) -> None:
    """A stack policy that is set denies every update it doesn't allow."""
    policy = change.stack.get("_stack_policy")
    if change.operation != "update" or not policy or "ROLLBACK" in change.stack["StackStatus"]:
        return
    action = "Update:Replace" if change.replaces else "Update:Modify"
    decision = bridge.decide_document(json.loads(policy), action, f"LogicalResourceId/{change.logical_id}",
                                      {"ResourceType": change.type_name})
    if decision != "Allow":
        raise ResourceFailed(f"Action denied by stack policy: no statement allows [{action}] for resource "
                             f"[{change.logical_id}], or one denies it")


def _refuse_name_of_failed_stack(handler: bridge.Handler) -> bridge.Handler:
    """A stack whose creation was rolled back keeps its name until it is deleted."""
    async def handle(method: str, path: str, headers: dict[str, str], body: bytes,
                     query: dict[str, Any]) -> bridge.Response:
        form = bridge.form(body, query)
        if form.get("Action") == "CreateStack":
            stack = bridge.stack(form.get("StackName", ""))
            if stack is not None and stack["StackStatus"] == "ROLLBACK_COMPLETE":
                return bridge.stack_error("AlreadyExistsException",
                                          f"Stack [{form['StackName']}] already exists", 400)
        return await handler(method, path, headers, body, query)

    return handle


# --- state machines ------------------------------------------------------------------------------------------


def _check_task_role(resource: str, arguments: dict[str, Any]) -> None:
    """A Task may do what its state machine's role may: the optimized integrations ministack has itself."""
    caller = identity.current_caller()
    name = resource.removeprefix("arn:aws:states:::").split(".")[0]
    if name == "lambda:invoke" or resource.startswith("arn:aws:lambda:"):
        function = arguments.get("FunctionName", "") if name == "lambda:invoke" else resource
        if not function.startswith("arn:"):
            function = f"arn:aws:lambda:{caller.region}:{caller.account_id}:function:{function}"
        wanted, error = ("lambda:InvokeFunction", function), "Lambda.AWSLambdaException"
    elif name == "sns:publish":
        target = arguments.get("TopicArn") or "*"
        wanted, error = ("sns:Publish", target), "SNS.AuthorizationErrorException"
    elif name == "events:putEvents":
        wanted, error = ("events:PutEvents", "*"), "EventBridge.AccessDeniedException"
    else:
        return
    try:
        identity.authorize(caller, wanted[0], [wanted[1]])
    except ApiError as refusal:
        raise bridge.task_error(error, refusal.message) from refusal
