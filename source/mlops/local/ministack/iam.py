# SPDX-License-Identifier: Apache-2.0
"""IAM: roles, trust, decisions, sessions; and what ministack's answers lack."""

from __future__ import annotations

import secrets
import time
from contextvars import ContextVar
from typing import Any

import ministack.app as _app
from ministack.core import arn as _arn
from ministack.core import iam_actions as _iam_actions
from ministack.core import iam_evaluator as _iam_evaluator
from ministack.services import apigateway_v1 as _apigateway
from ministack.services import iam as _iam
from ministack.services import sts as _sts

from mlops.local.ministack import context

_API_DENIED = "AccessDeniedByPolicy"  # ours, among the codes of failed authentications
_called_api: ContextVar[tuple[Any, ...]] = ContextVar("called_api", default=())


def role(role_arn: str) -> dict[str, Any] | None:
    account_id, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    found: dict[str, Any] | None = _iam._roles.get_scoped(account_id, None, name)
    return found if found and found["Arn"] == role_arn else None


def role_named(name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _iam._roles.get(name)
    return found


def trusts_service(role_record: dict[str, Any], service: str, keys: dict[str, str]) -> bool:
    """Whether the role's trust policy lets `service` (`sagemaker.amazonaws.com`) assume it."""
    request = _iam_evaluator.EvalContext(
        principal_arn="",
        principal_type="Service",
        principal_account="",
        action="sts:AssumeRole",
        resource_arn=role_record["Arn"],
        region="",
        service_context={name.lower(): value for name, value in keys.items()},
    )
    document = role_record["AssumeRolePolicyDocument"]
    result = _iam_evaluator.evaluate_resource_policy(document, request, service=service)
    return bool(result.decision == "Allow")


def decide(principal_arn: str, action: str, resource: str, keys: dict[str, Any]) -> str:
    """What the identity policies of a principal say: "Allow", "Deny" or "ImplicitDeny"."""
    kind, layers = _policies_of(principal_arn)
    if kind == "root":
        return "Allow"
    request = _iam_evaluator.EvalContext(
        principal_arn=principal_arn,
        principal_type="AssumedRole" if kind == "assumed-role" else "User",
        principal_account=principal_arn.split(":")[4],
        action=action,
        resource_arn=resource,
        region=context.current_scope()[1],
        service_context={key.lower(): value for key, value in keys.items()},
    )
    return str(_iam_evaluator.evaluate(request, *layers).decision)


def decide_anywhere(principal_arn: str, action: str, keys: dict[str, Any]) -> str:
    """Allow, if the identity policies of a principal allow an action on at least one of the resources they name."""
    _, layers = _policies_of(principal_arn)
    named = {name for layer in layers for policy in layer for statement in policy for name in statement.resources}
    decisions = {decide(principal_arn, action, resource, keys) for resource in named | {"*"}}
    return next(decision for decision in ("Allow", "Deny", "ImplicitDeny") if decision in decisions)


def _policies_of(principal_arn: str) -> tuple[str, list[Any]]:
    """What kind of principal it is; its policies and, as further layers, what limits them."""
    account_id = principal_arn.split(":")[4]
    kind, _, name = principal_arn.split(":", 5)[5].partition("/")
    if kind == "root":
        return kind, []
    if kind == "assumed-role":
        name = name.split("/")[0]
        policies, held = _iam_evaluator._gather_role_policies(name, account_id), _iam._roles
    else:
        name = name.rsplit("/", 1)[-1]
        policies, held = _iam_evaluator._gather_user_policies(name, account_id), _iam._users
    return kind, [policies, *_iam_evaluator._permissions_boundary(held, name, account_id)]


def decide_document(document: dict[str, Any], action: str, resource: str, keys: dict[str, Any]) -> str:
    """What one policy document alone says."""
    request = _iam_evaluator.EvalContext(
        principal_arn="",
        principal_type="",
        principal_account="",
        action=action,
        resource_arn=resource,
        region="",
        service_context={key.lower(): value for key, value in keys.items()},
    )
    return str(_iam_evaluator.evaluate(request, [_iam_evaluator.parse_policy_document(document)]).decision)


def name_denied_resources() -> None:
    """Say in each denial which resource it is about, and deny the calls of a REST API as its gateway does."""
    deny, enforce = _iam_actions.access_denied_response, _app._enforce_execute_api

    def naming(service: str, action: str, principal_arn: str, request_id: str, **rest: Any) -> Any:
        resource, explicit = rest.get("resource_arn", "*"), rest.get("explicit_deny", False)
        if _called_api.get() and not rest.get("error_code"):
            api_id, stage, resource, headers, query = _called_api.get()
            message = _iam_actions.identity_denial_message(action, principal_arn, resource, explicit)
            error = _iam_evaluator.AuthError(_API_DENIED, message)
            answer = _apigateway.authentication_error_response(api_id, stage, error, headers, query)
            if answer:
                return answer
        by_resource_policy = explicit and rest.get("resource_policy_arn")
        if resource != "*" and not (rest.get("message") or rest.get("error_code") or by_resource_policy):
            shown = f'"{resource}"' if service == "s3" else resource
            rest["message"] = _iam_actions.identity_denial_message(action, principal_arn, shown, explicit)
        return deny(service, action, principal_arn, request_id, **rest)

    def enforced(
        api_id: str, stage: str, method: str, path: str, headers: Any, query: Any, *rest: Any, **more: Any
    ) -> Any:
        account_id, region = context.current_scope()
        resource = _arn.execute_api_arn(region, f"********{account_id[-4:]}", api_id, stage, method, path)
        token = _called_api.set((api_id, stage, resource, headers, query))
        try:
            return enforce(api_id, stage, method, path, headers, query, *rest, **more)
        finally:
            _called_api.reset(token)

    _apigateway._AUTHENTICATION_GATEWAY_ERRORS[_API_DENIED] = ("ACCESS_DENIED", "AccessDeniedException")
    _iam_actions.access_denied_response, _app._enforce_execute_api = naming, enforced


def leave_authorization_to(signing_name: str) -> None:
    """Let a service of ours authorize its calls alone: ministack does not know the resources of all of them."""
    _iam_actions.SERVICE_TO_IAM_NAMESPACE.pop(signing_name, None)


def verify_root_signatures() -> None:
    """Check the signature of the root key too; ministack takes it from anyone who names it."""
    is_root, pin = _iam_evaluator._is_root_key, _app.pin_signed_request
    pinning = False

    def nobody_while_pinning(access_key_id: str) -> bool:
        return bool(is_root(access_key_id)) and not pinning

    def pin_everybody(*args: Any, **options: Any) -> None:
        nonlocal pinning
        pinning = True
        try:
            pin(*args, **options)
        finally:
            pinning = False

    _iam_evaluator._is_root_key, _app.pin_signed_request = nobody_while_pinning, pin_everybody


def open_session(session_arn: str) -> dict[str, str]:
    """Temporary credentials for an assumed role, in the words of boto3's Session."""
    role_name, session_name = session_arn.split("/")[1:3]
    key, secret = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    token = secrets.token_hex(64)
    _sts.register_session(
        key,
        {
            "Arn": session_arn,
            "UserId": f"{role_name}:{session_name}",
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": time.time() + 12 * 3600,
        },
    )
    return {"aws_access_key_id": key, "aws_secret_access_key": secret, "aws_session_token": token}
