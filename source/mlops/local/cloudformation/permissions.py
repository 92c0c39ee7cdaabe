# SPDX-License-Identifier: Apache-2.0
"""What a stack's role needs for ministack's own resource types: the calls CloudFormation makes in its name.

Our own types are authorized by their Api. For the types below, the table names the calls that are always made,
with the ARN a policy must allow; so a role that is too small fails here as it would on AWS, and a condition on
a role's permissions boundary counts. Types that aren't in the table are made without a check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mlops.local.cloudformation.resources import ResourceFailed
from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import apigateway, cloudformation, iam


@dataclass(frozen=True)
class Call:
    action: str
    resource: str
    keys: dict[str, Any]


Calls = Callable[[cloudformation.Change, Caller], Iterator[Call]]


def install() -> None:
    cloudformation.check_changes(_check)


def _check(change: cloudformation.Change) -> None:
    caller, calls = identity.current_caller(), _TYPES.get(change.type_name)
    if calls is None or caller.arn.endswith(":root"):
        return
    for call in calls(change, caller):
        try:
            identity.authorize(caller, call.action, [call.resource], call.keys)
        except ApiError as error:
            raise ResourceFailed(
                f'Resource handler returned message: "{error.message}" (HandlerErrorCode: AccessDenied)'
            ) from error


def _name(change: cloudformation.Change, member: str) -> str:
    """What the resource is called; a generated name's random end is not known yet."""
    given = change.new.get(member) or change.old.get(member)
    return str(given or change.physical_id or f"{change.stack['StackName']}-{change.logical_id}-XXXXXXXXXXXX")


def _pass_role(role_arn: Any, service: str) -> Iterator[Call]:
    if isinstance(role_arn, str):
        yield Call("iam:PassRole", role_arn, {"iam:PassedToService": service})


# --- IAM -----------------------------------------------------------------------------------------------------


def _role(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    path = change.new.get("Path") or change.old.get("Path") or "/"
    arn = f"arn:aws:iam::{caller.account_id}:role{path}{_name(change, 'RoleName')}"
    boundary = change.new.get("PermissionsBoundary") or change.old.get("PermissionsBoundary")
    keys = {"iam:PermissionsBoundary": boundary} if boundary else {}
    old, new = change.old, change.new
    if change.operation == "create":
        yield Call("iam:CreateRole", arn, keys)
    elif change.operation == "delete":
        yield Call("iam:DeleteRole", arn, {})
    elif old.get("AssumeRolePolicyDocument") != new.get("AssumeRolePolicyDocument"):
        yield Call("iam:UpdateAssumeRolePolicy", arn, {})
    if change.operation == "update" and old.get("PermissionsBoundary") != new.get("PermissionsBoundary"):
        yield Call("iam:PutRolePermissionsBoundary" if boundary else "iam:DeleteRolePermissionsBoundary", arn, keys)
    if new.get("Policies") and new["Policies"] != old.get("Policies"):
        yield Call("iam:PutRolePolicy", arn, keys)
    if old.get("Policies") and not new.get("Policies"):
        yield Call("iam:DeleteRolePolicy", arn, keys)
    for policy in new.get("ManagedPolicyArns", []):
        if policy not in old.get("ManagedPolicyArns", []):
            yield Call("iam:AttachRolePolicy", arn, {**keys, "iam:PolicyARN": policy})


def _policy(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    action = "iam:DeleteRolePolicy" if change.operation == "delete" else "iam:PutRolePolicy"
    for name in change.new.get("Roles") or change.old.get("Roles") or []:
        role = iam.role_named(name) or {"Arn": f"arn:aws:iam::{caller.account_id}:role/{name}"}
        boundary = role.get("PermissionsBoundary")
        yield Call(action, role["Arn"], {"iam:PermissionsBoundary": boundary} if boundary else {})


# --- Lambda --------------------------------------------------------------------------------------------------


def _function_arn(caller: Caller, name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:lambda:{caller.region}:{caller.account_id}:function:{name}"


def _function(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    arn = _function_arn(caller, _name(change, "FunctionName"))
    code = change.new.get("Code", {})
    if change.operation == "delete":
        yield Call("lambda:DeleteFunction", arn, {})
        return
    if change.new.get("Role") != change.old.get("Role"):
        yield from _pass_role(change.new.get("Role"), "lambda.amazonaws.com")
    if code != change.old.get("Code") and code.get("S3Bucket"):
        yield Call("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}", {})
    if change.operation == "create":
        yield Call("lambda:CreateFunction", arn, {})
    else:
        rest = [
            {key: value for key, value in side.items() if key not in ("Code", "Tags")}
            for side in (change.old, change.new)
        ]
        if code != change.old.get("Code"):
            yield Call("lambda:UpdateFunctionCode", arn, {})
        if rest[0] != rest[1]:
            yield Call("lambda:UpdateFunctionConfiguration", arn, {})


def _function_permission(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    arn = _function_arn(caller, str(change.new.get("FunctionName") or change.old.get("FunctionName")))
    if change.operation != "create":
        yield Call("lambda:RemovePermission", arn, {})
    if change.operation != "delete":
        principal = change.new.get("Principal")
        yield Call("lambda:AddPermission", arn, {"lambda:Principal": principal} if principal else {})


# --- the rest ------------------------------------------------------------------------------------------------


def _log_group(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    arn = f"arn:aws:logs:{caller.region}:{caller.account_id}:log-group:{_name(change, 'LogGroupName')}:*"
    if change.operation == "create":
        yield Call("logs:CreateLogGroup", arn, {})
    if change.operation == "delete":
        yield Call("logs:DeleteLogGroup", arn, {})
    elif change.new.get("RetentionInDays") and change.new["RetentionInDays"] != change.old.get("RetentionInDays"):
        yield Call("logs:PutRetentionPolicy", arn, {})


def _state_machine(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    name = _name(change, "StateMachineName").rsplit(":", 1)[-1]
    arn = f"arn:aws:states:{caller.region}:{caller.account_id}:stateMachine:{name}"
    yield Call(f"states:{change.operation.capitalize()}StateMachine", arn, {})
    if change.new.get("RoleArn") != change.old.get("RoleArn"):
        yield from _pass_role(change.new.get("RoleArn"), "states.amazonaws.com")


def _state_machine_version(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    arn = str(change.new.get("StateMachineArn") or change.old.get("StateMachineArn"))
    if change.operation == "delete":
        yield Call("states:DeleteStateMachineVersion", arn, {})
    elif change.operation == "create" or change.replaces:
        yield Call("states:PublishStateMachineVersion", arn, {})


def _rest_api(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    apis = f"arn:aws:apigateway:{caller.region}::/restapis"
    if change.operation == "create":
        tags = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in change.new.get("Tags", [])}
        yield Call("apigateway:POST", apis, tags)
        if tags:
            yield Call("apigateway:PUT", f"arn:aws:apigateway:{caller.region}::/tags/arn%3Aaws%3Aapigateway", tags)
        return
    action = "apigateway:DELETE" if change.operation == "delete" else "apigateway:PATCH"
    yield from _of_api(action, f"{apis}/{change.physical_id}", str(change.physical_id))


def _of_api(action: str, arn: str, api_id: str) -> Iterator[Call]:
    """A call about an API or a part of it: policies see the API's tags. What is gone is not found, whoever asks."""
    tags = apigateway.rest_api_tags(api_id)
    if tags is not None:
        yield Call(action, arn, {f"aws:ResourceTag/{key}": value for key, value in tags.items()})


def _rest_api_part(path: str, verb: str = "POST") -> Calls:
    """A part of a REST API, under the path it is created at; `{Member}` stands for a property."""

    def calls(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
        given = {**change.old, **change.new}
        where = path.format_map({name: value for name, value in given.items() if isinstance(value, str)})
        action = {"create": verb, "update": "PATCH", "delete": "DELETE"}[change.operation]
        if change.operation != "create" and verb == "POST":
            where = f"{where}/{change.physical_id}"
        yield from _of_api(f"apigateway:{action}", f"arn:aws:apigateway:{caller.region}::{where}", given["RestApiId"])

    return calls


def _stage(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    """CloudFormation tags a stage as it makes it, with the stack's name if with nothing else."""
    yield from _rest_api_part("/restapis/{RestApiId}/stages")(change, caller)
    if change.operation == "create":
        tags = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in change.new.get("Tags", [])}
        yield Call("apigateway:PUT", f"arn:aws:apigateway:{caller.region}::/tags/arn%3Aaws%3Aapigateway", tags)


_TYPES: dict[str, Calls] = {
    "AWS::ApiGateway::Deployment": _rest_api_part("/restapis/{RestApiId}/deployments"),
    "AWS::ApiGateway::GatewayResponse": _rest_api_part("/restapis/{RestApiId}/gatewayresponses/{ResponseType}", "PUT"),
    "AWS::ApiGateway::Method": _rest_api_part(
        "/restapis/{RestApiId}/resources/{ResourceId}/methods/{HttpMethod}", "PUT"
    ),
    "AWS::ApiGateway::Resource": _rest_api_part("/restapis/{RestApiId}/resources"),
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::ApiGateway::Stage": _stage,
    "AWS::IAM::Policy": _policy,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Permission": _function_permission,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::StepFunctions::StateMachine": _state_machine,
    "AWS::StepFunctions::StateMachineVersion": _state_machine_version,
}
