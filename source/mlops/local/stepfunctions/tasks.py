# SPDX-License-Identifier: Apache-2.0
"""What a state machine's Task states can do with our services.

Every registered Api answers `arn:aws:states:::aws-sdk:<service>:<operation>`. Optimized integrations
(`arn:aws:states:::sagemaker:createTrainingJob`, with `.sync` where it exists) are functions registered by
`@task`. Both work for the state machine's role.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from mlops.local.kit import identity, shapes
from mlops.local.kit.api import Api
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import stepfunctions
from mlops.templates.sdk_names import task_member

Arguments = dict[str, Any]
Run = Callable[[Arguments, Caller], dict[str, Any]]

_optimized: dict[str, Run] = {}
_served: set[str] = set()


class TaskFailed(Exception):
    """Fails a Task state with an error name and a cause."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


def task(name: str, sync: bool = False) -> Callable[[Run], Run]:
    """Decorator: this function runs `arn:aws:states:::<name>`, or its `.sync` form."""

    def register(function: Run) -> Run:
        _optimized[f"{name}.sync" if sync else name] = function
        return function

    return register


def sdk_call(
    service: str, operation: str, arguments: Arguments, caller: Caller, unmodelled: str | None = None
) -> dict[str, Any]:
    """Call one of our Apis the way a Task state does: names in PascalCase, dates as text, errors named."""
    api = Api.registered[service]
    model = api.model.operation_model(operation)
    request = _given(model.input_shape, arguments, operation) if model.input_shape else {}
    try:
        answer = api.call(operation, request, caller)
    except ApiError as error:
        raise task_failed(service, error, unmodelled) from error
    return _shown(model.output_shape, answer) if model.output_shape else {}


def task_failed(service: str, error: ApiError, unmodelled: str | None = None) -> TaskFailed:
    """An API error as a Task state reports it: `SageMaker.ResourceNotFoundException`."""
    prefix = _sdk_name(Api.registered[service])
    if error.code == "SerializationException":
        return TaskFailed("States.Runtime", f"The Parameters could not be used to start the Task: [{error}]")
    name = unmodelled or f"{prefix}Exception"
    if Api.registered[service].error_shape(error.code):
        name = error.code if error.code.endswith("Exception") else f"{error.code}Exception"
    return TaskFailed(
        f"{prefix}.{name}",
        f"{error.message} (Service: {prefix}, Status Code: {error.status}, Request ID: {uuid.uuid4()})",
    )


def install() -> None:
    """Let ministack's state machines run our tasks, each execution as its state machine's role."""
    for service, prefix in _sdk_prefixes().items():
        stepfunctions.serve_tasks(prefix, _sdk_task(service))
    for prefix in _optimized_prefixes():
        stepfunctions.serve_tasks(prefix, _optimized_task)
    stepfunctions.give_output_of_succeed()
    stepfunctions.run_executions_as(identity.session_arn)


def serves(resource: str) -> bool:
    """Whether a Task state's resource is run, and its role checked, by us."""
    return resource in _served or resource.startswith((*_sdk_prefixes().values(), *_optimized_prefixes()))


def serve(resource: str, run: Run) -> None:
    """Run the Task states of a resource; `run` checks what the state machine's role may, and raises TaskFailed."""
    stepfunctions.serve_tasks(resource, lambda _, arguments: _run(run, arguments))
    _served.add(resource)


def _sdk_prefixes() -> dict[str, str]:
    """What the resources begin with that call each of our Apis."""
    return {service: f"arn:aws:states:::aws-sdk:{_sdk_name(api).lower()}:" for service, api in Api.registered.items()}


def _optimized_prefixes() -> list[str]:
    return sorted({f"arn:aws:states:::{name.split(':')[0]}:" for name in _optimized})


def _sdk_name(api: Api) -> str:
    """What Step Functions calls a service in the names of errors, and in lower case in those of integrations."""
    return str(api.model.metadata["serviceId"]).replace(" ", "")


def _sdk_task(service: str) -> Callable[[str, Arguments], Any]:
    api = Api.registered[service]
    operations = {name[0].lower() + name[1:]: name for name in api.model.operation_names}

    def run(resource: str, arguments: Arguments) -> Any:
        action = resource.rsplit(":", 1)[1]
        if action not in operations:
            raise stepfunctions.task_error("States.Runtime", f"The resource provided {resource} is not recognized.")
        return _run(lambda given, caller: sdk_call(service, operations[action], given, caller), arguments)

    return run


def _optimized_task(resource: str, arguments: Arguments) -> Any:
    name = resource.removeprefix("arn:aws:states:::")
    run = _optimized.get(name)
    if run is None:
        raise stepfunctions.task_error("States.Runtime", f"The resource provided {resource} is not recognized.")
    return _run(run, arguments)


def _run(function: Run, arguments: Arguments) -> Any:
    try:
        return function(arguments, identity.current_caller())
    except TaskFailed as failure:
        raise stepfunctions.task_error(failure.error, failure.cause) from failure
    except ApiError as error:
        raise stepfunctions.task_error(error.code, error.message) from error


# --- names and values of Task states -----------------------------------------------------------------------


def _given(shape: Shape, value: Any, path: str) -> Any:
    """Arguments as the API's request: PascalCase members under their own names, texts as dates and bytes."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = {task_member(name): name for name in shape.members}
        unknown = sorted(value.keys() - members.keys())
        if unknown:
            raise TaskFailed("States.Runtime", f"The field '{unknown[0]}' is not supported by Step Functions in {path}")
        return {members[key]: _given(shape.members[members[key]], item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _given(shape.value, item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_given(shape.member, item, path) for item in value]
    if shape.type_name == "blob" and isinstance(value, str):
        return value.encode()
    if shape.type_name in ("integer", "long") and isinstance(value, float) and value.is_integer():
        return int(value)
    return shapes.read(shape, value)


def _shown(shape: Shape, value: Any) -> Any:
    """An answer as a state's output."""
    if isinstance(shape, StructureShape):
        return {
            task_member(name): _shown(shape.members[name], item) for name, item in value.items() if item is not None
        }
    if isinstance(shape, MapShape):
        return {key: _shown(shape.value, item) for key, item in value.items()}
    if isinstance(shape, ListShape):
        return [_shown(shape.member, item) for item in value]
    if shape.type_name == "blob":
        return bytes(value).decode(errors="replace")
    return shapes.iso(value) if shape.type_name == "timestamp" else value
