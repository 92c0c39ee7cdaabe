# SPDX-License-Identifier: Apache-2.0
"""ministack's private names that mlops.local.ministack uses: each exists, takes what we give it, and is still looked up
where we replace it. An upgrade of ministack begins by making these tests pass again."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlops.local
import pytest

PACKAGE = Path(inspect.getfile(mlops.local)).parent
SOURCES = sorted((PACKAGE / "ministack").glob("*.py"))

# what each function we call or replace must take, by position
PARAMETERS = {
    "_apigateway.find_api_scope": "api_id",
    "_apigateway.new_uuid": "",
    "_apigateway._rest_api_arn": "api_id",
    "_apigateway._put_gateway_response": "api_id response_type data",
    "_app._build_persistence_save_dict": "",
    "_app._credential_failure": "service iam_action request_id denied headers",
    "_app._execute_api_authorization_type": "api_id stage method execute_path",
    "_app._handle_execute_api_request": "host path method headers body query_params",
    "_app._handle_post_body_shortcuts": "method path headers body query_params request_id",
    "_app._handle_pre_body_request": "method path headers query_params request_id",
    "_app._parse_execute_api_url": "host path",
    "_app._routing_params": "method path headers body query_params",
    "_app.pin_signed_request": "method raw_path query_params raw_headers",
    "_app.app": "scope receive send",
    "_app._enforce_execute_api": "api_id stage method execute_path headers query_params",
    "_apigateway.authentication_error_response": "api_id stage_name error headers query_params",
    "_arn.execute_api_arn": "region account_id api_id stage method path",
    "_changesets._resolve_parameters": "template provided_params",
    "_changesets.validate_template_support": "template conditions params",
    "_cloudwatch._dims_key": "dims",
    "_cloudwatch._metric_bucket": "key",
    "_cloudwatch._store_datum": "namespace name dims ts unit value values counts stat_values",
    "_concurrency.run_reentrant": "fn *args",
    "_changesets._evaluate_conditions": "template params",
    "_engine._evaluate_conditions": "template params",
    "_stack_operations._evaluate_conditions": "template params",
    "_stacks._evaluate_conditions": "template params",
    "_engine._extract_deps": "resource_def all_resource_names",
    "_engine._intrinsic_references": "value",
    "_eventbridge._cron_next_fire": "fields after_dt",
    "_eventbridge._invoke_target": "target event rule view",
    "_eventbridge._parse_cron_fields": "expr",
    "_eventbridge._put_events": "data allow_aws_source",
    "_iam_actions.access_denied_response": "service action principal_arn request_id",
    "_iam_actions.extract_iam_action": "service method path headers body query_params",
    "_iam_actions.identity_denial_message": "action principal_arn resource explicit_deny",
    "_iam_evaluator._gather_role_policies": "role_name account_id",
    "_iam_evaluator._gather_user_policies": "user_name account_id",
    "_iam_evaluator._is_root_key": "access_key_id",
    "_iam_evaluator._permissions_boundary": "store name account_id",
    "_iam_evaluator._s3_presigned_query": "query_params",
    "_iam_evaluator.caller_arn": "",
    "_iam_evaluator.check_credentials": "access_key_id service",
    "_iam_evaluator.evaluate": "ctx policies *limits",
    "_iam_evaluator.evaluate_resource_policy": "doc ctx service",
    "_iam_evaluator.parse_policy_document": "doc",
    "_lambda._execute_function_dispatch": "func config event request_id started",
    "_lambda._throttle_response": "reason_code msg",
    "_lambda.acquire_worker": "func_name config code_zip qualifier",
    "_lambda.reap_idle_workers": "ttl",
    "_lambda.release_worker": "worker",
    "_lambda_runtime._account_region_from_function_config": "config",
    "_lambda_runtime._detect_runtime_binary": "runtime",
    "_lambda_runtime.execution_credentials": "config",
    "_lambda_runtime.kill_workers": "workers",
    "_logs._create_log_stream": "data",
    "_logs._put_log_events": "data",
    "_logs._resolve_log_group_name": "data",
    "_lambda._prune_orphan_code_blobs": "referenced",
    "_lambda._write_code_blob": "code_zip",
    "_provisioners._replacing_change": "resource_type old_props new_props",
    "_responses.get_account_id": "",
    "_responses.get_region": "",
    "_responses.request_scope": "account_id region",
    "_router.detect_service": "method path headers query_params",
    "_router.extract_access_key_id": "headers query_params",
    "_s3._bucket_has_versions": "name",
    "_s3._bucket_owner_account": "name",
    "_s3._error": "code message status resource extra headers",
    "_s3._parse_bucket_key": "path headers",
    "_s3._resolve_sse_write_headers": "headers bucket_name",
    "_s3._verify_presigned_sigv4": "method path headers query_params",
    "_sigv4.parse_header_signature": "headers",
    "_sigv4.parse_query_signature": "query_params",
    "_s3._persist_version_state": "bucket_name key bucket",
    "_stack_helpers._error": "code message",
    "_router._is_aws_service_name": "scope_name",
    "_stack_operations._create_stack": "params",
    "_stack_operations._describe_stacks": "params",
    "_stack_operations._p": "params key",
    "_stack_operations._resolve_parameters": "template provided_params",
    "_stack_operations._resolve_stack": "stack_name",
    "_stack_operations.validate_template_support": "template conditions params",
    "_app._get_module": "name",
    "_changesets._create_stack_task_in_region": "coro stack stack_id",
    "_stack_operations._create_stack_task_in_region": "coro stack stack_id",
    "_stacks._create_stack_task_in_region": "coro stack stack_id",
    "_stacks._delete_stack_async": "stack_name stack_id",
    "_stacks._deploy_stack_async": "stack_name stack_id template param_values disable_rollback tags is_update "
    "previous_stack",
    "_stack_operations._deploy_stack_async": "stack_name stack_id template param_values",
    "_changesets._deploy_stack_async": "stack_name stack_id template param_values",
    "_stacks._resolve_stack_outputs": "outputs_defs conditions resources param_values mappings stack_name stack_id",
    "_stacks._with_stack_tags": "resource_type props stack_tags stack_name stack_id logical_id",
    "_stacks._add_event": "stack_id stack_name logical_id resource_type status reason physical_id",
    "_stacks._delete_resource": "resource_type physical_id props stack_name logical_id",
    "_stacks._provision_resource": "resource_type logical_id props stack_name",
    "_stacks._runs_on_worker_thread": "resource_type",
    "_stacks._update_resource": "resource_type physical_id old_props new_props stack_name logical_id old_attrs",
    "_stepfunctions._add_event": "execution event_type details",
    "_stepfunctions._apply_jsonata_output": "state_def raw_input ctx result error_output default",
    "_stepfunctions._apply_output_path": "state_def data ctx",
    "_stepfunctions._invoke_resource": "resource input_data",
    "_stepfunctions._run_execution": "exec_arn",
    "_sts.register_session": "access_key session",
    "_wait_conditions.has_handle": "token",
}

# names that work by being replaced: the function that must look each up in its module when it runs
LOOKED_UP = {
    "_eventbridge._invoke_target": "_eventbridge._dispatch_event",
    "_changesets._evaluate_conditions": "_changesets._create_change_set",
    "_stack_operations._evaluate_conditions": "_stack_operations._create_stack",
    "_stacks._evaluate_conditions": "_stacks._deploy_stack_async",
    "_stacks._provision_resource": "_stacks._provision_keeping_seed",
    "_stacks._update_resource": "_stacks._update_keeping_seed",
    "_stacks._delete_resource": "_stacks._delete_stack_async",
    "_stacks._runs_on_worker_thread": "_stacks._deploy_stack_async",
    "_stack_operations.validate_template_support": "_stack_operations._create_stack",
    "_changesets.validate_template_support": "_changesets._create_change_set",
    "_stack_operations._resolve_parameters": "_stack_operations._create_stack",
    "_changesets._resolve_parameters": "_changesets._create_change_set",
    "_stepfunctions._apply_output_path": "_stepfunctions._run_execution",
    "_stepfunctions._run_execution": "_stepfunctions._start_execution",
    "_stepfunctions._invoke_resource": "_stepfunctions._invoke_resource_with_timeout",
    "_stepfunctions._SERVICE_DISPATCH": "_stepfunctions._invoke_resource",
    "_lambda._execute_function_dispatch": "_lambda._execute_function",
    "_lambda._invoke_depth": "_lambda._invoke",
    "_lambda.acquire_worker": "_lambda._execute_function_warm",
    "_lambda.reap_idle_workers": "_lambda._ensure_reaper_thread",
    "_lambda.release_worker": "_lambda._execute_function_warm",
    "_lambda_runtime._detect_runtime_binary": "_lambda_runtime.Worker._spawn",
    "_lambda_runtime.execution_credentials": "_lambda_runtime.Worker._spawn",
    "_lambda_runtime.subprocess": "_lambda_runtime.Worker._spawn",
    "_provisioners._RESOURCE_HANDLERS": "_provisioners._provision_resource",
    "_provisioners._REPLACING_PROPERTIES": "_provisioners._property_recreation",
    "_provisioners._STACK_TAG_PROPERTY": "_provisioners._with_stack_tags",
    "_lambda._prune_orphan_code_blobs": "_lambda.get_state",
    "_lambda._write_code_blob": "_lambda._externalize_code_zip",
    "_s3.logger": "_s3._persist_object",
    "_stack_operations._create_stack_task_in_region": "_stack_operations._create_stack",
    "_stack_operations._deploy_stack_async": "_stack_operations._update_stack",
    "_changesets._deploy_stack_async": "_changesets._execute_change_set",
    "_changesets._create_stack_task_in_region": "_changesets._execute_change_set",
    "_app._enforce_execute_api": "_app._handle_execute_api_request",
    "_app._handle_execute_api_request": "_app._handle_special_data_plane_request",
    "_apigateway.new_uuid": "_apigateway._handle_execute_in_scope",
    "_app._handle_post_body_shortcuts": "_app.app",
    "_app._handle_pre_body_request": "_app.app",
    "_app.SERVICE_HANDLERS": "_app._dispatch_service_request",
    "_app.pin_signed_request": "_app.app",
    "_router._is_aws_service_name": "_router.detect_service",
    "_iam_evaluator._is_root_key": "_iam_evaluator.pin_signed_request",
    "_iam_evaluator._request_caller_arn": "_iam_evaluator.caller_arn",
}


def _modules() -> dict[str, str]:
    """Our names of ministack's modules."""
    found: dict[str, str] = {}
    for node in (node for source in SOURCES for node in ast.parse(source.read_text()).body):
        if isinstance(node, ast.Import):
            found.update({alias.asname: alias.name for alias in node.names if alias.asname})
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ministack"):
            found.update({alias.asname: f"{node.module}.{alias.name}" for alias in node.names if alias.asname})
    return found


def _used() -> Iterator[str]:
    """Every `_module.name` that is mentioned."""
    modules = _modules()
    for node in (node for source in SOURCES for node in ast.walk(ast.parse(source.read_text()))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield f"{node.value.id}.{node.attr}"


def _find(name: str) -> Any:
    alias, _, path = name.partition(".")
    found: Any = importlib.import_module(_modules()[alias])
    for part in path.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", sorted(set(_used())))
def test_every_name_exists(name: str) -> None:
    assert _find(name) is not None


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_functions_take_what_we_give(name: str) -> None:
    given = [str(one).split(":")[0].split("=")[0] for one in inspect.signature(_find(name)).parameters.values()]
    wanted = PARAMETERS[name].split()
    assert given[: len(wanted)] == wanted


def test_every_function_is_held_to_its_parameters() -> None:
    functions = {name for name in _used() if inspect.isfunction(_find(name))}
    assert functions - PARAMETERS.keys() == set()


@pytest.mark.parametrize(("name", "reader"), LOOKED_UP.items())
def test_what_we_replace_is_looked_up_when_it_is_used(name: str, reader: str) -> None:
    function, attribute = _find(reader), name.split(".")[1]
    assert inspect.getmodule(function) is importlib.import_module(_modules()[name.split(".", maxsplit=1)[0]])
    assert attribute in _names(function.__code__)


@pytest.mark.parametrize("reader", ["_app._enforce_data_plane", "_app._dispatch_service_request"])
def test_a_denial_is_imported_when_it_is_made(reader: str) -> None:
    code = _find(reader).__code__
    assert "access_denied_response" in code.co_names, "the name of an import inside the function"
    assert "access_denied_response" in code.co_varnames


def _names(code: Any) -> set[str]:
    """The globals a function and the functions inside it read."""
    inner = (_names(constant) for constant in code.co_consts if inspect.iscode(constant))
    return set(code.co_names).union(*inner)


def test_handlers_of_services_take_five_arguments() -> None:
    handler = _find("_app.SERVICE_HANDLERS")["s3"]
    assert list(inspect.signature(handler).parameters) == ["method", "path", "headers", "body", "query_params"]


@pytest.mark.parametrize("service", ["cloudformation", "stepfunctions", "cloudwatch_logs", "iam"])
def test_the_state_of_a_large_service_is_copies_of_scoped_stores(service: str) -> None:
    """`state` goes without the copies, which is right only if nothing else is done to them."""
    module = importlib.import_module(f"ministack.services.{service}")
    assert set(_names(module.get_state.__code__)) & {"deepcopy", "pop", "items", "update"} == {"deepcopy"}
    scoped = importlib.import_module("ministack.core.responses")
    kinds = {scoped.AccountScopedDict, scoped.AccountRegionScopedDict, dict}
    assert {type(store) for store in module.get_state().values()} <= kinds


def test_nothing_else_imports_ministack() -> None:
    others = [
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if file not in SOURCES and re.search(r"^\s*(import|from) ministack", file.read_text(), re.MULTILINE)
    ]
    assert others == []
