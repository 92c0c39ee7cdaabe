# SPDX-License-Identifier: Apache-2.0
"""What a stack's role needs for ministack's own resource types: the calls CloudFormation makes in its name.

Our own types are authorized by their Api. For the types that the templates here use most, a table names the calls that
are always made, with the ARN a policy must allow; so a role that is too small fails here as it would on AWS, and a
condition on a role's permissions boundary counts. For all other types the registry's schema lists the actions that a
handler may need: the one that makes or deletes the resource must be allowed, or for an update any that changes
something. A type about which neither says anything, or whose service this account does not have, is refused with its
template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops.local.cloudformation import resources, schemas
from mlops.local.cloudformation.resources import ResourceFailed
from mlops.local.kit import identity, served
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import apigateway, cloudformation, iam


@dataclass(frozen=True)
class Call:
    """What must be allowed: `action` on `resource`, or on any resource at all where its ARN is not known."""

    action: str
    resource: str | None
    keys: Mapping[str, Any]


Calls = Callable[[cloudformation.Change, Caller], Iterator[Call]]


def install() -> None:
    cloudformation.check_changes(_check)
    cloudformation.check_types(_check_types)


def _check(change: cloudformation.Change) -> None:
    caller = identity.current_caller()
    if caller.arn.endswith(":root") or resources.is_registered(change.type_name):
        return
    calls = _TYPES.get(change.type_name) or (_custom if _is_custom(change.type_name) else _of_schema)
    for call in calls(change, caller):
        try:
            identity.authorize(caller, call.action, [call.resource], call.keys)
        except ApiError as error:
            raise ResourceFailed(
                f'Resource handler returned message: "{error.message}" (HandlerErrorCode: AccessDenied)'
            ) from error


def _check_types(types: set[str]) -> None:
    """Refuse types that AWS has and this account does not; what nobody knows is refused in AWS's words."""
    missing = sorted(name for name in types if schemas.schema(name) is not None and not _is_supported(name))
    if missing:
        raise ValueError(f"The laptop account does not support {', '.join(missing)}.")


def _is_supported(type_name: str) -> bool:
    if type_name in _TYPES or _is_custom(type_name) or resources.is_registered(type_name):
        return True
    created = _changing(type_name, "create")
    return cloudformation.has_resource_type(type_name) and bool(created) and served.has(*created[0].split(":"))


def _is_custom(type_name: str) -> bool:
    return type_name.startswith("Custom::") or type_name == "AWS::CloudFormation::CustomResource"


def _name(change: cloudformation.Change, member: str) -> str:
    """What the resource is called; a generated name's random end is not known yet."""
    given = change.new.get(member) or change.old.get(member)
    return str(given or change.physical_id or f"{change.stack['StackName']}-{change.logical_id}-XXXXXXXXXXXX")


# --- by the registry's schema --------------------------------------------------------------------------------

_READS = re.compile("(BatchGet|Describe|Get|Head|List|GET)(?![a-z])")
_TAGS = re.compile("^(Tag|Untag)|Tagging$")
# The ARN of a type's resources, with the member that names them.
_ARNS = {
    "AWS::ECR::Repository": ("ecr:{region}:{account}:repository/{name}", "RepositoryName"),
    "AWS::S3::Bucket": ("s3:::{name}", "BucketName"),
    "AWS::S3::BucketPolicy": ("s3:::{name}", "Bucket"),
    "AWS::SNS::Topic": ("sns:{region}:{account}:{name}", "TopicName"),
    "AWS::SQS::Queue": ("sqs:{region}:{account}:{name}", "QueueName"),
}


def _of_schema(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    actions = _changing(change.type_name, change.operation)
    if not actions:
        return
    arn, tags = _arn(change, caller), _request_tags(change)
    allowed = (action for action in actions if identity.is_authorized(caller, action, arn, tags))
    yield Call(next(allowed, actions[0]), arn, tags)
    if "iam:PassRole" in schemas.handler_permissions(change.type_name, change.operation):
        for role_arn in sorted(_role_arns(change.new) - _role_arns(change.old)):
            yield from _pass_role(role_arn, f"{actions[0].split(':')[0]}.amazonaws.com")


def _role_arns(value: Any) -> set[str]:
    """The roles that properties name, at any depth."""
    if isinstance(value, str):
        return {value} if re.fullmatch(r"arn:aws:iam::\d{12}:role/\S+", value) else set()
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {role_arn for one in inside for role_arn in _role_arns(one)}


def _changing(type_name: str, operation: str) -> list[str]:
    """The actions of which one must be allowed: CreateTopic to create a topic, and any that changes it to update it."""
    known = [
        action
        for action in schemas.handler_permissions(type_name, operation)
        if action != "iam:PassRole" and not _READS.match(action.split(":")[1])
    ]
    if operation == "update":
        return known
    verb, kind = operation.capitalize(), type_name.rsplit("::", 1)[1]
    named = [action for action in known if action.split(":")[1].startswith(verb) and _names(action, verb, kind)]
    return named or [action for action in known if not _TAGS.search(action.split(":")[1])]


def _names(action: str, verb: str, kind: str) -> bool:
    """Whether an action is a verb and a type: iam:CreatePolicy is what makes an AWS::IAM::ManagedPolicy."""
    return kind.endswith(action.split(":")[1].removeprefix(verb))


def _arn(change: cloudformation.Change, caller: Caller) -> str | None:
    if change.type_name not in _ARNS:
        return None
    pattern, member = _ARNS[change.type_name]
    name = re.sub("^(arn:.*:|https?://.*/)", "", _name(change, member))  # a topic's id is its ARN, a queue's its URL
    if pattern.startswith(("ecr", "s3")):
        name = name.lower()
    return "arn:aws:" + pattern.format(region=caller.region, account=caller.account_id, name=name)


def _request_tags(change: cloudformation.Change) -> dict[str, str]:
    """The condition keys of the tags that the resource is given."""
    tags = change.new.get("Tags", [])
    pairs = tags.items() if isinstance(tags, dict) else ((tag["Key"], tag["Value"]) for tag in tags)
    return {f"aws:RequestTag/{key}": value for key, value in pairs}


# --- roles, and what runs for a template ---------------------------------------------------------------------


def _pass_role(role_arn: Any, service: str) -> Iterator[Call]:
    if isinstance(role_arn, str):
        yield Call("iam:PassRole", role_arn, {"iam:PassedToService": service})


def _custom(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    """A custom resource's function is invoked, or its topic published to, in the stack's name."""
    token = str(change.new.get("ServiceToken") or change.old.get("ServiceToken"))
    action = "sns:Publish" if token.startswith("arn:aws:sns:") else "lambda:InvokeFunction"
    yield Call(action, token, {})


def _nothing(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    """CloudFormation's own types, for which it calls no other service."""
    yield from ()


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


# --- notices and events ---------------------------------------------------------------------------------------


def _rule(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    name, bus = _name(change, "Name"), {**change.old, **change.new}.get("EventBusName", "default").rsplit("/", 1)[-1]
    part = name if bus == "default" else f"{bus}/{name}"
    arn = f"arn:aws:events:{caller.region}:{caller.account_id}:rule/{part}"
    old, new = ({one["Id"]: one for one in side.get("Targets", [])} for side in (change.old, change.new))
    if change.operation != "delete":
        yield Call("events:PutRule", arn, _request_tags(change))
    if changed := [target for key, target in new.items() if target != old.get(key)]:
        yield Call("events:PutTargets", arn, {"events:TargetArn": [target["Arn"] for target in changed]})
    for role_arn in sorted({target["RoleArn"] for target in changed if "RoleArn" in target}):
        yield from _pass_role(role_arn, "events.amazonaws.com")
    if old.keys() - new.keys():
        yield Call("events:RemoveTargets", arn, {})
    if change.operation == "delete":
        yield Call("events:DeleteRule", arn, {})


def _subscription(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    if change.operation == "create":
        keys = {"sns:Endpoint": change.new.get("Endpoint", ""), "sns:Protocol": change.new["Protocol"]}
        yield Call("sns:Subscribe", change.new["TopicArn"], keys)
    else:  # calls that name the subscription, which policies cannot name
        yield Call("sns:SetSubscriptionAttributes" if change.operation == "update" else "sns:Unsubscribe", None, {})


def _topic_policy(change: cloudformation.Change, caller: Caller) -> Iterator[Call]:
    for topic in sorted({*change.old.get("Topics", []), *change.new.get("Topics", [])}):
        yield Call("sns:SetTopicAttributes", topic, {})


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
        tags = _request_tags(change)
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
        tags = _request_tags(change)
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
    "AWS::CloudFormation::WaitCondition": _nothing,
    "AWS::CloudFormation::WaitConditionHandle": _nothing,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::Policy": _policy,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Permission": _function_permission,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::StepFunctions::StateMachine": _state_machine,
    "AWS::StepFunctions::StateMachineVersion": _state_machine_version,
}
