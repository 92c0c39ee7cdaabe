# SPDX-License-Identifier: Apache-2.0
"""Step Functions: tasks and executions."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import stepfunctions as _stepfunctions

from mlops.local import activity
from mlops.local.ministack import context

_execution: ContextVar[str] = ContextVar("execution", default="")


def serve_tasks(prefix: str, handler: Callable[[str, dict[str, Any]], Any]) -> None:
    """Run the Task states whose resource begins with `prefix`: handler(resource, arguments) -> output."""
    _stepfunctions._SERVICE_DISPATCH[prefix] = handler


def task_error(error: str, cause: str) -> Exception:
    """The exception that fails a Task state."""
    failure: Exception = _stepfunctions._ExecutionError(error, cause)
    return failure


def give_output_of_succeed() -> None:
    """Let a Succeed state return its `Output`, which ministack leaves out: it returns the state's input."""
    output_path = _stepfunctions._apply_output_path

    def output(state: dict[str, Any], data: Any, scope: dict[str, Any] | None = None) -> Any:
        if state.get("Type") == "Succeed" and "Output" in state:
            return _stepfunctions._apply_jsonata_output(state, data, scope)
        return output_path(state, data, scope)

    _stepfunctions._apply_output_path = output


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
            with context.principal(session(machine["roleArn"], execution["name"])):
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
