# SPDX-License-Identifier: Apache-2.0
"""The role of a stack: what CloudFormation may do for it.

A request that names a role needs iam:PassRole for it, the role must trust CloudFormation, and from then on
every operation on the stack works as that role, as on AWS. Our own resource types are authorized against it.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import cloudformation, context, router

_SERVICE = "cloudformation.amazonaws.com"
_ROLE_FIELD = "_mlops_role_arn"
_STACK_OPERATIONS = {
    "CreateStack",
    "UpdateStack",
    "DeleteStack",
    "CreateChangeSet",
    "ExecuteChangeSet",
    "ContinueUpdateRollback",
    "RollbackStack",
}


def install() -> None:
    router.wrap_service("cloudformation", _as_stack_role)


def principal_of(stack: dict[str, Any], account_id: str) -> str:
    """Who CloudFormation works as when it goes on with a stack by itself: the stack's role, or the account's root."""
    role_arn = stack.get(_ROLE_FIELD)
    if role_arn:
        return identity.session_arn(role_arn, "AWSCloudFormation")
    return f"arn:aws:iam::{account_id}:root"


def _as_stack_role(handler: router.Handler) -> router.Handler:
    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> router.Response:
        form = router.form(body, query)
        if form.get("Action") == "DescribeStacks":
            return _with_roles(await handler(method, path, headers, body, query))
        if form.get("Action") not in _STACK_OPERATIONS:
            return await handler(method, path, headers, body, query)
        role_arn = form.get("RoleARN") or _recorded_role(form)
        if not role_arn:
            return await handler(method, path, headers, body, query)
        caller = identity.current_caller()
        try:
            if form.get("RoleARN"):
                identity.authorize_pass_role(caller, role_arn, _SERVICE)
            _check_trust(role_arn, form.get("StackName", ""), caller)
        except ApiError as error:
            return cloudformation.stack_error(error.code, error.message, error.status)
        with context.principal(identity.session_arn(role_arn, "AWSCloudFormation")):
            answer = await handler(method, path, headers, body, query)
        stack = cloudformation.stack(form.get("StackName", ""))
        if stack is not None and answer[0] == 200:
            stack[_ROLE_FIELD] = role_arn
        return answer

    return handle


def _with_roles(answer: router.Response) -> router.Response:
    """DescribeStacks' answer, with the role of each stack that has one."""

    def with_role(stack_id: re.Match[str]) -> str:
        stack = cloudformation.stack(stack_id[1])
        role_arn = stack.get(_ROLE_FIELD) if stack else None
        return f"{stack_id[0]}<RoleARN>{role_arn}</RoleARN>" if role_arn else stack_id[0]

    status, headers, body = answer
    return status, headers, re.sub("<StackId>([^<]+)</StackId>", with_role, body.decode()).encode()


def _recorded_role(form: dict[str, str]) -> str | None:
    stack = cloudformation.stack(form.get("StackName", ""))
    return stack.get(_ROLE_FIELD) if stack and form["Action"] != "CreateStack" else None


def _check_trust(role_arn: str, stack_name: str, caller: Caller) -> None:
    stack = cloudformation.stack(stack_name)
    arn = f"arn:aws:cloudformation:{caller.region}:{caller.account_id}:stack/{stack_name}/{uuid.uuid4()}"
    try:
        identity.check_role(role_arn, _SERVICE, caller, stack["StackId"] if stack else arn)
    except ApiError as error:
        raise ApiError("ValidationError", f"Role {role_arn} is invalid or cannot be assumed") from error
