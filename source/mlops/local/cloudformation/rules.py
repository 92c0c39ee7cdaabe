# SPDX-License-Identifier: Apache-2.0
"""What AWS refuses of stacks and ministack lets through, for resource types that are ministack's own."""

from __future__ import annotations

import json
from typing import Any

from mlops.local.cloudformation.resources import ResourceFailed
from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError
from mlops.local.ministack import apigateway, cloudformation, iam, router, s3


def install() -> None:
    for check in (
        _check_function_code,
        _check_function_role,
        _check_dependents_are_gone,
        _check_bucket_is_empty,
        _check_stack_policy,
    ):
        cloudformation.check_changes(check)
    cloudformation.after_changes("AWS::IAM::Role", _set_permissions_boundary)
    cloudformation.after_changes("AWS::ApiGateway::RestApi", _set_gateway_responses)
    router.answer_first("cloudformation", _refuse_name_of_failed_stack)


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
            raise ResourceFailed(f"{name}, which depends on it, still exists")


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


def _refuse_name_of_failed_stack(request: router.Request) -> router.Response | None:
    """A stack whose creation was rolled back keeps its name until it is deleted."""
    form = router.form(request.body, request.query)
    stack = cloudformation.stack(form.get("StackName", "")) if form.get("Action") == "CreateStack" else None
    if stack is None or stack["StackStatus"] != "ROLLBACK_COMPLETE":
        return None
    return cloudformation.stack_error("AlreadyExistsException", f"Stack [{form['StackName']}] already exists", 400)
