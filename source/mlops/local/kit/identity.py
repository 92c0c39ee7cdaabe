# SPDX-License-Identifier: Apache-2.0
"""Principals and what they may do: callers, roles that services assume, threads that keep their caller."""

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from mlops.local import activity, environment
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import context, events, iam

if TYPE_CHECKING:
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

_CLIENTS = Config(
    retries={"mode": "standard", "max_attempts": 1}, s3={"addressing_style": "path"}, max_pool_connections=20
)
_LOADER = Loader(include_default_search_paths=True)


def current_caller() -> Caller:
    account_id, region = context.current_scope()
    return Caller(account_id, region, context.current_principal())


def role_name(role_arn: str) -> str:
    return role_arn.rsplit("/", 1)[-1]


def session_arn(role_arn: str, session_name: str) -> str:
    """The ARN of the principal that a role's session is."""
    account_id = role_arn.split(":")[4]
    return f"arn:aws:sts::{account_id}:assumed-role/{role_name(role_arn)}/{session_name[:64]}"


def is_authorized(caller: Caller, action: str, resource: str | None, keys: Mapping[str, Any]) -> bool:
    """Whether the identity policies of `caller` allow an action on a resource; None: on any at all."""
    return _decision(caller, action, resource, keys) == "Allow"


def _decision(caller: Caller, action: str, resource: str | None, keys: Mapping[str, Any]) -> str:
    if resource is None:
        return iam.decide_anywhere(caller.arn, action, dict(keys))
    return iam.decide(caller.arn, action, resource, dict(keys))


def authorize(
    caller: Caller, action: str, resources: Sequence[str | None] = ("*",), keys: Mapping[str, Any] | None = None
) -> None:
    """Refuse `caller` what its identity policies do not allow on every one of `resources`; None stands for any."""
    for resource in resources:
        decision = _decision(caller, action, resource, keys or {})
        if decision != "Allow":
            reason = (
                "with an explicit deny in an identity-based policy"
                if decision == "Deny"
                else f"because no identity-based policy allows the {action} action"
            )
            raise ApiError(
                "AccessDeniedException",
                f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource or '*'} {reason}",
            )


def authorize_pass_role(caller: Caller, role_arn: str, service: str) -> None:
    """Whether `caller` may hand a role to `service` (`sagemaker.amazonaws.com`)."""
    authorize(caller, "iam:PassRole", [role_arn], {"iam:PassedToService": service})


def check_role(role_arn: str, service: str, caller: Caller, source_arn: str | None = None) -> None:
    """A role that a service is to use must exist and trust that service."""
    keys = {"aws:SourceAccount": caller.account_id, **({"aws:SourceArn": source_arn} if source_arn else {})}
    record = iam.role(role_arn) if role_arn.count(":") == 5 else None
    if record is None or not iam.trusts_service(record, service, keys):
        raise ApiError(
            "ValidationException",
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows "
            f"principal '{service}' to assume the role.",
        )


def role_session(role_arn: str, service: str, caller: Caller, source_arn: str | None = None) -> boto3.Session:
    """A session on this account with the role's permissions, as a service gets one that assumes the role."""
    check_role(role_arn, service, caller, source_arn)
    credentials = iam.open_session(session_arn(role_arn, service.split(".", maxsplit=1)[0]))
    return _session(caller.region, **credentials)


def session_of_role(caller: Caller) -> boto3.Session:
    """A session with the permissions of a caller that is the session of a role, as a state machine's execution is."""
    return _session(caller.region, **iam.open_session(caller.arn))


def root_session(caller: Caller) -> boto3.Session:
    """A session that may do everything, for what a service does in its own name."""
    return _session(caller.region, aws_access_key_id=caller.account_id, aws_secret_access_key=environment.secret_key())


def session_of(credentials: CredentialsTypeDef, caller: Caller) -> boto3.Session:
    """A session with what AssumeRole has given out."""
    return _session(
        caller.region,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def _session(region: str, **credentials: str) -> boto3.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)  # models are read once, not per session
    session.set_default_client_config(_CLIENTS)
    # A connection that is kept takes two files of this process, which is at both of its ends.
    session.register("before-send", _close_after_answer)
    return boto3.Session(botocore_session=session, region_name=region, **credentials)


def _close_after_answer(**event: Any) -> None:
    event["request"].headers["Connection"] = "close"


def put_event(
    caller: Caller, source: str, detail_type: str, detail: dict[str, Any], resources: Sequence[str] = ()
) -> None:
    """An event of a service on the account's default bus."""
    with context.scope(caller.account_id, caller.region):
        events.put_event(
            {
                "Source": source,
                "DetailType": detail_type,
                "Resources": list(resources),
                "Detail": json.dumps(detail, default=str),
            }
        )


def spawn(function: Callable[..., Any], *args: Any) -> threading.Thread:
    """Start a thread that works for the caller of this one."""

    def work() -> None:
        with activity.working("services"):
            function(*args)

    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(work,), daemon=True, name=getattr(function, "__name__", "worker")
    )
    thread.start()
    return thread
