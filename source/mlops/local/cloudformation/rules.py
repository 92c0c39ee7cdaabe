# SPDX-License-Identifier: Apache-2.0
"""What AWS refuses and ministack lets through, for types and operations that are ministack's own."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.job_kinds import JOB_KINDS

from mlops.local.cloudformation.resources import ResourceFailed
from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import apigateway, cloudformation, iam, router, s3, stepfunctions


def install() -> None:
    for check in (
        _check_function_code,
        _check_function_role,
        _check_dependents_are_gone,
        _check_bucket_is_empty,
        _check_stack_policy,
        _check_state_machine,
    ):
        cloudformation.check_changes(check)
    cloudformation.after_changes("AWS::IAM::Role", _set_permissions_boundary)
    cloudformation.after_changes("AWS::ApiGateway::RestApi", _set_gateway_responses)
    router.wrap_service("cloudformation", _refuse_name_of_failed_stack)
    router.wrap_service("s3", _expect_bucket_owner)
    router.wrap_service("states", _refuse_deleted_state_machine)
    stepfunctions.check_tasks(_check_task_role)
    iam.verify_root_signatures()
    iam.name_denied_resources()


# --- stacks ------------------------------------------------------------------------------------------------


def _check_function_code(change: cloudformation.Change) -> None:
    """A function's zip must be where its template says."""
    code = change.new.get("Code", {}) if change.type_name == "AWS::Lambda::Function" else {}
    bucket, key = code.get("S3Bucket"), code.get("S3Key")
    if bucket and key and not s3.has_object(bucket, key, code.get("S3ObjectVersion")):
        raise ResourceFailed(
            'Resource handler returned message: "Error occurred while GetObject. S3 Error Code: '
            "NoSuchKey. S3 Error Message: The specified key does not exist. "
            f'({bucket}/{key})" (HandlerErrorCode: InvalidRequest)'
        )


def _check_function_role(change: cloudformation.Change) -> None:
    """Lambda must be able to assume its role."""
    role = change.new.get("Role")
    if change.type_name != "AWS::Lambda::Function" or role is None or role == change.old.get("Role"):
        return
    try:
        identity.check_role(role, "lambda.amazonaws.com", identity.current_caller())
    except ApiError as error:
        raise ResourceFailed(
            'Resource handler returned message: "The role defined for the function cannot be '
            'assumed by Lambda." (HandlerErrorCode: InvalidRequest)'
        ) from error


def _check_dependents_are_gone(change: cloudformation.Change) -> None:
    """A resource stays while one that depends on it could not be deleted; ministack deletes it all the same."""
    if change.operation != "delete" or change.stack["StackStatus"] != "DELETE_IN_PROGRESS":
        return
    defined = change.stack["_template"].get("Resources", {})
    for name in change.stack["_resources"].keys() & defined.keys() - {change.logical_id}:
        if cloudformation.needs(defined[name], change.logical_id):
            raise ResourceFailed(f"{name}, which depends on it, is still there")


def _check_bucket_is_empty(change: cloudformation.Change) -> None:
    deletes_bucket = change.operation == "delete" and change.type_name == "AWS::S3::Bucket"
    if deletes_bucket and s3.has_objects(change.physical_id or ""):
        raise ResourceFailed(
            'Resource handler returned message: "The bucket you tried to delete is not empty. You '
            'must delete all versions in the bucket." (HandlerErrorCode: GeneralServiceException)'
        )


def _check_stack_policy(change: cloudformation.Change) -> None:
    """A stack policy that is set denies every update it doesn't allow."""
    policy, status = change.stack.get("_stack_policy"), change.stack["StackStatus"]
    if not policy or "ROLLBACK" in status or not status.startswith("UPDATE"):
        return
    current = change.stack["_resources"].get(change.logical_id, {}).get("PhysicalResourceId")
    if change.operation == "delete" and current == change.physical_id:
        action = "Update:Delete"
    elif change.operation == "update":
        action = "Update:Replace" if change.replaces else "Update:Modify"
    else:
        return  # new, or the predecessor of what was replaced with permission
    decision = iam.decide_document(
        json.loads(policy), action, f"LogicalResourceId/{change.logical_id}", {"ResourceType": change.type_name}
    )
    if decision != "Allow":
        raise ResourceFailed(
            f"Action denied by stack policy: no statement allows [{action}] for resource "
            f"[{change.logical_id}], or one denies it"
        )


def _set_gateway_responses(api_id: str, properties: dict[str, Any]) -> None:
    """ministack imports an API's document without what API Gateway answers by itself."""
    document = properties.get("Body") or {}
    for response_type, response in document.get("x-amazon-apigateway-gateway-responses", {}).items():
        apigateway.put_gateway_response(api_id, response_type, response)


def _set_permissions_boundary(role_name: str, properties: dict[str, Any]) -> None:
    """ministack's CloudFormation forgets it, and then the role may do more than on AWS."""
    role = iam.role_named(role_name)
    if role is not None:
        role["PermissionsBoundary"] = properties.get("PermissionsBoundary")


def _refuse_name_of_failed_stack(handler: router.Handler) -> router.Handler:
    """A stack whose creation was rolled back keeps its name until it is deleted."""

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> router.Response:
        form = router.form(body, query)
        if form.get("Action") == "CreateStack":
            stack = cloudformation.stack(form.get("StackName", ""))
            if stack is not None and stack["StackStatus"] == "ROLLBACK_COMPLETE":
                return cloudformation.stack_error(
                    "AlreadyExistsException", f"Stack [{form['StackName']}] already exists", 400
                )
        return await handler(method, path, headers, body, query)

    return handle


# --- S3 ------------------------------------------------------------------------------------------------------


def _expect_bucket_owner(handler: router.Handler) -> router.Handler:
    """A caller that says whose a bucket is gets no other account's."""

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> router.Response:
        expected = headers.get("x-amz-expected-bucket-owner")
        bucket, owner = s3.bucket_and_owner(path)
        if expected and owner and expected != owner:
            refusal = (
                "<Error><Code>AccessDenied</Code><Message>Access Denied</Message>"
                f"<BucketName>{bucket}</BucketName></Error>"
            )
            return 403, {"Content-Type": "application/xml"}, b"" if method == "HEAD" else refusal.encode()
        return await handler(method, path, headers, body, query)

    return handle


# --- state machines ------------------------------------------------------------------------------------------


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


def _refuse_deleted_state_machine(handler: router.Handler) -> router.Handler:
    """The versions of a state machine go with it; ministack keeps them, and stumbles when one is started."""

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> router.Response:
        if headers.get("x-amz-target", "").endswith(".StartExecution"):
            arn = str(json.loads(body or b"{}").get("stateMachineArn", ""))
            if arn.startswith("arn:") and not stepfunctions.has_state_machine(arn):
                refusal = {"__type": "StateMachineDoesNotExist", "message": f"State Machine Does Not Exist: '{arn}'"}
                return 400, {"content-type": "application/x-amz-json-1.0"}, json.dumps(refusal).encode()
        return await handler(method, path, headers, body, query)

    return handle


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
        raise stepfunctions.task_error(error, refusal.message) from refusal
