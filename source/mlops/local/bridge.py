# SPDX-License-Identifier: Apache-2.0
"""Everything this package takes from ministack, and the only module that names its private parts.

ministack has no extension points of its own: services, resource types and task integrations are entries in
its tables, and some functions are replaced by ours. tests/local/test_bridge_contract.py holds every name
used here, so that an upgrade which moves one fails there and not in somebody's pipeline.
"""

from __future__ import annotations

import copy
import functools
import logging
import secrets
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import ministack.app as _app
from ministack.core import arn as _arn
from ministack.core import concurrency as _concurrency
from ministack.core import iam_actions as _iam_actions
from ministack.core import iam_evaluator as _iam_evaluator
from ministack.core import lambda_runtime as _lambda_runtime
from ministack.core import responses as _responses
from ministack.core import router as _router
from ministack.services import apigateway_v1 as _apigateway
from ministack.services import cloudformation as _cloudformation
from ministack.services import cloudwatch_logs as _logs
from ministack.services import eventbridge as _eventbridge
from ministack.services import iam as _iam
from ministack.services import lambda_svc as _lambda
from ministack.services import s3 as _s3
from ministack.services import stepfunctions as _stepfunctions
from ministack.services import sts as _sts
from ministack.services.cloudformation import changesets as _changesets
from ministack.services.cloudformation import engine as _engine
from ministack.services.cloudformation import handlers as _stack_operations
from ministack.services.cloudformation import helpers as _stack_helpers
from ministack.services.cloudformation import provisioners as _provisioners
from ministack.services.cloudformation import stacks as _stacks

from mlops.local import activity

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Response]]
Wire = Callable[..., Any]

STACKS = "cloudformation"  # as `state` and `activity` call it
application = _app.app
_execution: ContextVar[str] = ContextVar("execution", default="")
_called_api: ContextVar[tuple[Any, ...]] = ContextVar("called_api", default=())
_API_DENIED = "AccessDeniedByPolicy"  # ours, among the codes of failed authentications


# --- who is asking -----------------------------------------------------------------------------------------


def current_scope() -> tuple[str, str]:
    """The account and region of the request, execution or stack operation this code runs in."""
    return _responses.get_account_id(), _responses.get_region()


@contextmanager
def scope(account_id: str, region: str) -> Iterator[None]:
    with _responses.request_scope(account_id, region):
        yield


def current_principal() -> str:
    """The ARN of the principal this code works for."""
    return str(_iam_evaluator.caller_arn())


@contextmanager
def principal(arn: str) -> Iterator[None]:
    """Work for another principal, as a service does that has assumed a role."""
    token = _iam_evaluator._request_caller_arn.set(arn)
    try:
        yield
    finally:
        _iam_evaluator._request_caller_arn.reset(token)


def is_signed(headers: Mapping[str, str], query: Mapping[str, Any]) -> bool:
    """Whether a request names an access key; ministack has checked the signature of one that does."""
    return bool(_router.extract_access_key_id(headers, query))


# --- IAM ---------------------------------------------------------------------------------------------------


def role(role_arn: str) -> dict[str, Any] | None:
    account_id, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    found: dict[str, Any] | None = _iam._roles.get_scoped(account_id, None, name)
    return found if found and found["Arn"] == role_arn else None


def role_named(name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _iam._roles.get(name)
    return found


def trusts_service(role_record: dict[str, Any], service: str, keys: dict[str, str]) -> bool:
    """Whether the role's trust policy lets `service` (`sagemaker.amazonaws.com`) assume it."""
    context = _iam_evaluator.EvalContext(
        principal_arn="",
        principal_type="Service",
        principal_account="",
        action="sts:AssumeRole",
        resource_arn=role_record["Arn"],
        region="",
        service_context={name.lower(): value for name, value in keys.items()},
    )
    document = role_record["AssumeRolePolicyDocument"]
    result = _iam_evaluator.evaluate_resource_policy(document, context, service=service)
    return bool(result.decision == "Allow")


def decide(principal_arn: str, action: str, resource: str, keys: dict[str, Any]) -> str:
    """What the identity policies of a principal say: "Allow", "Deny" or "ImplicitDeny"."""
    account_id, region = principal_arn.split(":")[4], current_scope()[1]
    kind, _, name = principal_arn.split(":", 5)[5].partition("/")
    if kind == "root":
        return "Allow"
    if kind == "assumed-role":
        name = name.split("/")[0]
        policies = _iam_evaluator._gather_role_policies(name, account_id)
        limits = _iam_evaluator._permissions_boundary(_iam._roles, name, account_id)
    else:
        name = name.rsplit("/", 1)[-1]
        policies = _iam_evaluator._gather_user_policies(name, account_id)
        limits = _iam_evaluator._permissions_boundary(_iam._users, name, account_id)
    context = _iam_evaluator.EvalContext(
        principal_arn=principal_arn,
        principal_type="AssumedRole" if kind == "assumed-role" else "User",
        principal_account=account_id,
        action=action,
        resource_arn=resource,
        region=region,
        service_context={key.lower(): value for key, value in keys.items()},
    )
    return str(_iam_evaluator.evaluate(context, policies, *limits).decision)


def decide_document(document: dict[str, Any], action: str, resource: str, keys: dict[str, Any]) -> str:
    """What one policy document alone says."""
    context = _iam_evaluator.EvalContext(
        principal_arn="",
        principal_type="",
        principal_account="",
        action=action,
        resource_arn=resource,
        region="",
        service_context={key.lower(): value for key, value in keys.items()},
    )
    return str(_iam_evaluator.evaluate(context, [_iam_evaluator.parse_policy_document(document)]).decision)


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
        account_id, region = current_scope()
        resource = _arn.execute_api_arn(region, f"********{account_id[-4:]}", api_id, stage, method, path)
        token = _called_api.set((api_id, stage, resource, headers, query))
        try:
            return enforce(api_id, stage, method, path, headers, query, *rest, **more)
        finally:
            _called_api.reset(token)

    _apigateway._AUTHENTICATION_GATEWAY_ERRORS[_API_DENIED] = ("ACCESS_DENIED", "AccessDeniedException")
    _iam_actions.access_denied_response, _app._enforce_execute_api = naming, enforced


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


# --- services ----------------------------------------------------------------------------------------------


def serve(signing_name: str, handler: Handler) -> None:
    """Answer the requests signed for `signing_name` with `handler`."""
    _app.SERVICE_HANDLERS[signing_name] = handler
    # a name the router doesn't know makes it read every service model botocore has, for four seconds
    _router.SERVICE_PATTERNS.setdefault(signing_name, {})


def wrap_service(signing_name: str, wrapper: Callable[[Handler], Handler]) -> None:
    _app.SERVICE_HANDLERS[signing_name] = wrapper(_app.SERVICE_HANDLERS[signing_name])


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Run what may block in a thread of its own, with this request's context."""
    return await _concurrency.run_reentrant(function, *args)


def put_event(entry: dict[str, Any]) -> None:
    """Publish an event of a service (`aws.…`) on the default bus."""
    _eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


# --- CloudFormation ----------------------------------------------------------------------------------------


def add_resource_type(type_name: str, create: Wire, update: Wire, delete: Wire, tag_property: str | None) -> None:
    """create(logical_id, properties, stack_name), update(physical_id, old, new, stack_name, logical_id) and
    delete(physical_id, properties, logical_id); the first two return (physical id, attributes)."""
    if tag_property:
        _provisioners._STACK_TAG_PROPERTY[type_name] = (tag_property, "list")
    _provisioners._RESOURCE_HANDLERS[type_name] = {
        "create": create,
        "update": update,
        "update_with_logical_id": True,
        "delete": delete,
        "delete_with_logical_id": True,
    }


def replace_on(type_name: str, properties: tuple[str, ...]) -> None:
    """A change of one of these properties makes a new resource."""
    _provisioners._REPLACING_PROPERTIES[type_name] = properties


def on_worker_thread(chosen: Callable[[str], bool]) -> None:
    """Also provision these types off the event loop: their handlers wait."""
    before = _stacks._runs_on_worker_thread
    _stacks._runs_on_worker_thread = lambda type_name: chosen(type_name) or before(type_name)


@dataclass(frozen=True)
class Change:
    """What CloudFormation is about to do to one resource."""

    operation: str  # "create", "update" or "delete"
    type_name: str
    logical_id: str
    physical_id: str | None  # None before it exists
    stack: dict[str, Any]
    old: dict[str, Any]
    new: dict[str, Any]
    replaces: bool = False


def check_changes(check: Callable[[Change], None]) -> None:
    """Call `check` before any resource is made, updated or deleted; what it raises fails the resource."""
    provision, update, delete = _stacks._provision_resource, _stacks._update_resource, _stacks._delete_resource

    def of(stack_name: str | None) -> dict[str, Any]:
        return stack(stack_name or "") or {"StackName": stack_name or "", "StackId": "", "StackStatus": ""}

    def checked_provision(type_name: str, logical_id: str, new: dict[str, Any], stack_name: str) -> Any:
        check(Change("create", type_name, logical_id, None, of(stack_name), {}, new))
        return provision(type_name, logical_id, new, stack_name)

    def checked_update(
        type_name: str,
        physical_id: str,
        old: dict[str, Any],
        new: dict[str, Any],
        stack_name: str,
        logical_id: str,
        *rest: Any,
    ) -> Any:
        if old != new:
            replaces = _provisioners._replacing_change(type_name, old, new)
            check(Change("update", type_name, logical_id, physical_id, of(stack_name), old, new, replaces))
        return update(type_name, physical_id, old, new, stack_name, logical_id, *rest)

    def checked_delete(
        type_name: str,
        physical_id: str,
        old: dict[str, Any],
        stack_name: str | None = None,
        logical_id: str | None = None,
    ) -> None:
        check(Change("delete", type_name, logical_id or physical_id, physical_id, of(stack_name), old, {}))
        delete(type_name, physical_id, old, stack_name, logical_id)

    _stacks._provision_resource, _stacks._update_resource = checked_provision, checked_update
    _stacks._delete_resource = checked_delete


def name_like_cloudformation(type_name: str, member: str, name: Callable[[str, str], str]) -> None:
    """Name resources of a type that ministack names its own way: `name(stack name, logical id)` where none is given."""
    provision, update = _stacks._provision_resource, _stacks._update_resource

    def named_provision(resource_type: str, logical_id: str, new: dict[str, Any], stack_name: str) -> Any:
        if resource_type == type_name and member not in new:
            new = {**new, member: name(stack_name, logical_id)}
        return provision(resource_type, logical_id, new, stack_name)

    def named_update(resource_type: str, physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
        if resource_type == type_name and member not in old and member not in new:
            old, new = {**old, member: physical_id}, {**new, member: physical_id}
        return update(resource_type, physical_id, old, new, *rest)

    _stacks._provision_resource, _stacks._update_resource = named_provision, named_update


def after_changes(type_name: str, finish: Callable[[str, dict[str, Any]], None]) -> None:
    """Call `finish(physical id, properties)` after a resource of one of ministack's types was made or updated."""
    handlers = _provisioners._RESOURCE_HANDLERS[type_name]
    create, update = handlers["create"], handlers["update"]

    def finishing_create(logical_id: str, new: dict[str, Any], stack_name: str) -> Any:
        made = create(logical_id, new, stack_name)
        finish(made[0], new)
        return made

    def finishing_update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
        made = update(physical_id, old, new, *rest)
        finish(made[0], new)
        return made

    handlers["create"], handlers["update"] = finishing_create, finishing_update


def rest_api_tags(api_id: str) -> dict[str, str] | None:
    """The tags of a REST API; None where there is no such API."""
    if api_id not in _apigateway._rest_apis:
        return None
    return dict(_apigateway._v1_tags.get(_apigateway._rest_api_arn(api_id)) or {})


def put_gateway_response(api_id: str, response_type: str, response: dict[str, Any]) -> None:
    _apigateway._put_gateway_response(api_id, response_type, response)


def check_templates(check: Callable[[dict[str, Any]], None]) -> None:
    """Call `check(template)` when a template arrives; a ValueError refuses it as a ValidationError."""
    before = _stack_operations.validate_template_support

    def checked(template: dict[str, Any], conditions: dict[str, bool], **rest: Any) -> None:
        before(template, conditions, **rest)
        check(template)

    _stack_operations.validate_template_support = _changesets.validate_template_support = checked


def check_parameters(check: Callable[[dict[str, Any], list[str]], None]) -> None:
    """Call `check(template, names)` with the parameters that a request gives; a ValueError is a ValidationError."""
    before = _stack_operations._resolve_parameters

    def checked(template: dict[str, Any], provided_params: list[dict[str, Any]], *rest: Any, **more: Any) -> Any:
        check(template, [one["Key"] for one in provided_params])
        return before(template, provided_params, *rest, **more)

    _stack_operations._resolve_parameters = _changesets._resolve_parameters = checked


def template_references(value: Any) -> set[str]:
    """The names that Ref, Fn::GetAtt and Fn::Sub mention anywhere below `value`."""
    return {name for name, _ in _engine._intrinsic_references(value)}


def needs(resource: dict[str, Any], logical_id: str) -> bool:
    """Whether a resource of a template depends on another one, in whatever way."""
    return logical_id in _engine._extract_deps(resource, {logical_id})


def stack(name_or_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _stack_operations._resolve_stack(name_or_id)
    return found


def form(body: bytes, query: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a request in the query protocol."""
    return {name: values[0] for name, values in {**query, **parse_qs(body.decode())}.items()}


def stack_error(code: str, message: str, status: int) -> Response:
    """An error in CloudFormation's protocol."""
    answer: Response = _stack_helpers._error(code, message, status)
    return answer


def stack_owning(physical_id: str) -> dict[str, Any] | None:
    for record in _cloudformation._stacks.values():
        if any(held["PhysicalResourceId"] == physical_id for held in record.get("_resources", {}).values()):
            return dict(record)
    return None


def note_stack_operations() -> None:
    """Let `activity` know while an operation on a stack runs, or a request that may change one."""
    schedule = _stacks._create_stack_task_in_region

    async def noted(operation: Any) -> None:
        with activity.working(STACKS):
            await operation

    def schedule_noted(operation: Any, *rest: Any) -> None:
        schedule(noted(operation), *rest)

    def wrapper(handler: Handler) -> Handler:
        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
        ) -> Response:
            if form(body, query).get("Action", "").startswith(("Describe", "List", "Get")):
                return await handler(method, path, headers, body, query)
            with activity.working(STACKS):
                return await handler(method, path, headers, body, query)

        return handle

    _stack_operations._create_stack_task_in_region = _changesets._create_stack_task_in_region = schedule_noted
    wrap_service("cloudformation", wrapper)


# --- Step Functions ----------------------------------------------------------------------------------------


def serve_tasks(prefix: str, handler: Callable[[str, dict[str, Any]], Any]) -> None:
    """Run the Task states whose resource begins with `prefix`: handler(resource, arguments) -> output."""
    _stepfunctions._SERVICE_DISPATCH[prefix] = handler


def task_error(error: str, cause: str) -> Exception:
    """The exception that fails a Task state."""
    failure: Exception = _stepfunctions._ExecutionError(error, cause)
    return failure


def check_tasks(check: Callable[[str, dict[str, Any]], None]) -> None:
    """Call `check(resource, arguments)` before a Task state runs; it may raise a `task_error`."""
    invoke = _stepfunctions._invoke_resource

    def checked(resource: str, arguments: Any) -> Any:
        check(resource, arguments if isinstance(arguments, dict) else {})
        return invoke(resource, arguments)

    _stepfunctions._invoke_resource = checked


def run_executions_as(session: Callable[[str, str], str]) -> None:
    """Let an execution work for the principal `session(role arn, execution name)`."""
    run = _stepfunctions._run_execution

    def as_role(execution_arn: str) -> None:
        with activity.working("executions"):
            run_as_role(execution_arn)

    def run_as_role(execution_arn: str) -> None:
        execution = _stepfunctions._executions.get(execution_arn)
        machine = execution and _stepfunctions._state_machines.get(execution["stateMachineArn"])
        if not machine:
            run(execution_arn)
            return
        token = _execution.set(execution_arn)
        try:
            with principal(session(machine["roleArn"], execution["name"])):
                run(execution_arn)
        finally:
            _execution.reset(token)

    _stepfunctions._run_execution = as_role


def settle_executions(cause: str) -> None:
    """Let the executions that ministack failed when it read them back fail with a cause of ours."""
    for execution in _stepfunctions._executions.all_values():
        if execution.get("error") == "States.ServiceRestart":
            failed = {"error": "States.Runtime", "cause": cause}
            execution.update(failed)
            _stepfunctions._add_event(execution, "ExecutionFailed", {"executionFailedEventDetails": failed})


def has_state_machine(arn: str) -> bool:
    """Whether there is the state machine that an ARN names, be it a version's or an alias's."""
    return ":".join(arn.split(":")[:7]) in _stepfunctions._state_machines


def execution_stopped() -> bool:
    """Whether somebody stopped the execution this code works for; its thread goes on and must look."""
    execution = _stepfunctions._executions.get(_execution.get())
    return bool(execution) and execution["status"] == "ABORTED"


# --- Lambda ------------------------------------------------------------------------------------------------


class _FunctionProcesses:
    """`subprocess` as ministack's Lambda runtime sees it: its functions start in a clean environment."""

    def __init__(self, kept: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, command: list[str], *, env: Mapping[str, str], **options: Any) -> Any:
        return subprocess.Popen(command, env=self._kept(env), **options)


def isolate_functions(interpreter: str, kept: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
    """Start Python functions with `interpreter`, in what `kept` leaves of the environment ministack made."""
    detect = _lambda_runtime._detect_runtime_binary

    def detect_isolated(runtime: str) -> tuple[str, str]:
        binary, script = detect(runtime)
        return (interpreter if runtime.startswith("python") else binary), script

    _lambda_runtime._detect_runtime_binary = detect_isolated
    _lambda_runtime.subprocess = _FunctionProcesses(kept)


# --- S3 ----------------------------------------------------------------------------------------------------


def bucket_and_owner(path: str) -> tuple[str, str | None]:
    """The bucket that a request is for, and the account that owns it, if there is one."""
    bucket, _ = _s3._parse_bucket_key(path, {})
    return bucket, _s3._bucket_owner_account(bucket)


def has_object(bucket: str, key: str, version: str | None) -> bool:
    if version:
        versions = _s3._object_versions.get((bucket, key), [])
        return any(one["version_id"] == version for one in versions)
    held = _s3._buckets.get(bucket)
    return held is not None and key in held["objects"]


def has_objects(bucket: str) -> bool:
    """Whether a bucket holds an object, a version or a delete marker."""
    held = _s3._buckets.get(bucket)
    return held is not None and bool(held["objects"] or _s3._bucket_has_versions(bucket))


# --- state -------------------------------------------------------------------------------------------------

# services whose get_state copies each of its stores and does nothing else; they are large, so we do without the copy
_COPYING = {STACKS: _cloudformation, "stepfunctions": _stepfunctions, "cloudwatch_logs": _logs, "iam": _iam}
_STORES = {"account": _responses.AccountScopedDict, "region": _responses.AccountRegionScopedDict}
_at_rest = threading.RLock()
_unkept: set[tuple[str, str, str]] = set()  # account, bucket and key of what could not be written
_failures: ContextVar[list[OSError] | None] = ContextVar("failures", default=None)


class _Copies:
    """`copy` as ministack's services see it: a thread that only looks gets what there is."""

    def __init__(self) -> None:
        self.looking = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(copy, name)

    def deepcopy(self, value: Any, *rest: Any) -> Any:
        return value if getattr(self.looking, "now", False) else copy.deepcopy(value, *rest)


_copies = _Copies()


def keep_state() -> None:
    """Once, before the first request: from now on `state` can be asked, and failed writes are noticed."""
    for module in _COPYING.values():
        module.copy = _copies
    _lambda._write_code_blob = functools.lru_cache(maxsize=256)(_lambda._write_code_blob)
    # a file that only the last state on disk still names must stay until that is replaced
    _lambda._prune_orphan_code_blobs = lambda referenced: None
    _s3.logger.setLevel(logging.WARNING)
    _s3.logger.propagate = False
    _s3.logger.addHandler(_FailedWrites())


def state(but: Set[str]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every record of ministack's services except those in `but`, under a key of its own."""
    for service, get_state in _app._build_persistence_save_dict().items():
        if service in but:
            continue
        _copies.looking.now = service in _COPYING
        try:
            stores = _steady(get_state)
        finally:
            _copies.looking.now = False
        for name, store in (stores or {}).items():
            kind = next((kind for kind, scoped in _STORES.items() if type(store) is scoped), None)
            for key, record in store._data.copy().items() if kind else [((), store)]:
                yield (service, name, kind or "whole", key), record


def copied() -> set[str]:
    """The services whose records `state` gives as copies."""
    return set(_app._build_persistence_save_dict()) - _COPYING.keys()


def _steady(get_state: Callable[[], Any], attempts: int = 100) -> Any:
    """A state that did not grow while it was copied: another thread may write meanwhile."""
    for _ in range(attempts - 1):
        try:
            return get_state()
        except RuntimeError:  # "dictionary changed size during iteration"
            continue
    return get_state()


def load_state(entries: Iterable[tuple[tuple[Any, ...], Any]]) -> None:
    """Fill ministack's services with what `state` gave."""
    states: dict[str, dict[str, Any]] = {}
    for (service, name, kind, key), record in entries:
        stores = states.setdefault(service, {})
        if kind == "whole":
            stores[name] = record
        else:
            stores.setdefault(name, _STORES[kind]())._data[key] = record
    for service, stores in states.items():
        _app._get_module(_app._state_map[service]).load_persisted_state(stores)


@contextmanager
def stacks_at_rest() -> Iterator[None]:
    """While no resource of ministack's own types is made that its stack does not hold yet."""
    with _at_rest:
        yield


class _FailedWrites(logging.Handler):
    """ministack logs that an object could not be written, and answers 200: here it is noticed."""

    def emit(self, record: logging.LogRecord) -> None:
        match record.args:
            case (str(bucket), str(key), OSError() as error):
                _unkept.add((current_scope()[0], bucket, key))
                failures = _failures.get()
                if failures is not None:
                    failures.append(error)


@contextmanager
def failed_writes() -> Iterator[list[OSError]]:
    """Collects the writes of objects that fail in here."""
    failures: list[OSError] = []
    token = _failures.set(failures)
    try:
        yield failures
    finally:
        _failures.reset(token)


def keep_objects() -> None:
    """Write the objects that could not be written before; OSError where they still cannot."""
    for account_id, bucket, key in list(_unkept):
        with scope(account_id, current_scope()[1]), failed_writes() as failures:
            held = _s3._buckets.get(bucket)
            if held is not None:
                _s3._persist_version_state(bucket, key, held)
        if failures:
            raise failures[0]
        _unkept.discard((account_id, bucket, key))
