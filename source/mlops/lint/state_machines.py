# SPDX-License-Identifier: Apache-2.0
"""Checks the state machines of a compiled template: their JSONata, and what they pass to AWS.

Arguments are held against the API's own model in botocore as far as they can be told before a state machine runs:
unknown and missing members, values of the wrong type. What an expression computes cannot be told, its objects can.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session

from mlops.templates.cfn_yaml import Template
from mlops.templates.job_states import DATA, expression
from mlops.templates.sdk_names import task_member

Path = tuple[str | int, ...]
Problem = tuple[Path, str]

_INTEGRATION = re.compile(r":states:::(?:aws-sdk:)?(sagemaker|sns|s3):([A-Za-z0-9]+)")
_NUMBERS = {"integer", "long", "float", "double"}


def problems(template: Template) -> Iterator[Problem]:
    """What is wrong with each state of a template's state machines, by path."""
    for logical_id, resource in template.get("Resources", {}).items():
        definition = resource.get("Properties", {}).get("Definition")
        if resource["Type"] == "AWS::StepFunctions::StateMachine" and isinstance(definition, dict):
            path: Path = ("Resources", logical_id, "Properties", "Definition")
            for where, state in _states(definition, path):
                yield from _expressions(state, where)
                yield from _call(state, where)


def _states(machine: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every state of a machine, those of its branches and maps among them."""
    states = machine.get("States")
    for name, state in states.items() if isinstance(states, dict) else ():
        if not isinstance(state, dict):
            continue
        where = (*path, "States", name)
        yield where, state
        for number, branch in enumerate(state.get("Branches", [])):
            yield from _states(branch, (*where, "Branches", number))
        yield from _states(state.get("ItemProcessor", {}), (*where, "ItemProcessor"))


# --- expressions ---------------------------------------------------------------------------------------------


def _expressions(node: Any, path: Path, member: bool = False) -> Iterator[Problem]:
    """What is wrong with the expressions in a state, those of its inner states left out."""
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from _expressions(item, (*path, number), member)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key.startswith("Fn::") and "{%" in str(value):
                yield (
                    path,
                    "inserts a value into an expression: assign the value to a variable in a Pass state instead",
                )
            elif key not in ("Branches", "ItemProcessor"):
                yield from _expressions(value, (*path, key), member or key in DATA)
    elif (text := expression(node)) is not None:
        parsed = _parsed(text)
        if isinstance(parsed, str):
            yield path, f"is not valid JSONata: {parsed}"
        elif member and path[-1] not in DATA and parsed.type == "condition" and _else(parsed) is None:
            yield path, "returns nothing if the condition is false, which Step Functions rejects: add an else branch"


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> Any:
    """An expression's tree; text where it has none: why."""
    from jsonata import JException, Jsonata  # what reads state machines on the laptop

    try:
        return Jsonata(text).ast
    except JException as error:
        return " ".join(str(error).split())


def _else(node: Any) -> Any:
    return getattr(node, "_else", None)


# --- arguments -----------------------------------------------------------------------------------------------


def _call(state: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """What is wrong with the call that a Task state makes."""
    found = _INTEGRATION.search(str(state.get("Resource")))
    if state.get("Type") != "Task" or not found:
        return
    service, operation = found[1], found[2][0].upper() + found[2][1:]
    model = _model(service)
    if operation not in model.operation_names:
        yield (*path, "Resource"), f"{service} has no operation {operation}"
        return
    arguments = state.get("Arguments", {})
    yield from _value(model.operation_model(operation).input_shape, arguments, (*path, "Arguments"))


@functools.cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _value(shape: Any, value: Any, path: Path) -> Iterator[Problem]:
    """What is wrong with an argument as it is written."""
    text = expression(value)
    if text is not None:
        parsed = _parsed(text)
        if not isinstance(parsed, str):
            yield from ((path, problem) for problem in _computed(shape, parsed, {}, path[-1]))
    elif isinstance(value, dict) and next(iter(value), "").startswith(("Fn::", "Ref")):
        if shape.type_name != "string":
            yield (
                path,
                f"is a string, like every value from CloudFormation; {shape.name} is {_kind(shape)}: "
                "convert it in an expression",
            )
    elif isinstance(value, dict) and shape.type_name == "structure":
        yield from ((path, problem) for problem in _members(shape, set(value), path[-1]))
        for key, item in value.items():
            if key in shape.members:
                yield from _value(shape.members[key], item, (*path, key))
    elif isinstance(value, dict) and shape.type_name == "map":
        for key, item in value.items():
            yield from _value(shape.value, item, (*path, key))
    elif isinstance(value, list) and shape.type_name == "list":
        for number, item in enumerate(value):
            yield from _value(shape.member, item, (*path, number))
    elif problem := _unfit(shape, value):
        yield path, problem


def _members(shape: Any, given: set[str], name: object, complete: bool = True) -> Iterator[str]:
    """What is wrong with the keys of an object."""
    names = [task_member(name) for name in shape.members]
    for key in sorted(given - set(names)):
        near = difflib.get_close_matches(key, names, 1)
        yield f"{key!r} is not a member of {shape.name}" + (f" (did you mean {near[0]!r}?)" if near else "")
    if complete:
        for key in shape.required_members:
            if key not in given:
                yield f"{name} is missing {key!r}"


def _unfit(shape: Any, value: Any) -> str | None:
    """Why a literal is not of a shape."""
    fits = {
        "structure": isinstance(value, dict),
        "map": isinstance(value, dict),
        "list": isinstance(value, list),
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        **dict.fromkeys(_NUMBERS, isinstance(value, int | float) and not isinstance(value, bool)),
    }
    if not fits.get(shape.type_name, True):
        return f"{value!r} is not {_kind(shape)}, which {shape.name} requires"
    if shape.type_name == "string" and shape.enum and value not in shape.enum:
        near = difflib.get_close_matches(value, shape.enum, 1)
        return f"{value!r} is not a value of {shape.name}" + (f" (did you mean {near[0]!r}?)" if near else "")
    return None


def _kind(shape: Any) -> str:
    kinds = {
        "structure": "an object",
        "map": "an object",
        "list": "a list",
        "string": "a string",
        "integer": "a number",
    }
    return kinds.get(shape.type_name, "a number" if shape.type_name in _NUMBERS else f"a {shape.type_name}")


# --- what expressions make -----------------------------------------------------------------------------------

Names = Mapping[str, Any]  # what variables and functions of an expression are bound to


def _computed(shape: Any, node: Any, names: Names, name: object) -> Iterator[str]:
    """What is wrong with what an expression gives, as far as its tree tells."""
    node, names = _followed(node, names)
    if node is None:
        return
    if node.type == "condition":
        for branch in (node.then, _else(node)):
            yield from _computed(shape, branch, names, name)
    elif node.type in ("string", "number"):
        if problem := _unfit(shape, node.value):
            yield f"{name}: {problem}"
    elif node.type == "unary" and node.value == "[" and shape.type_name == "list":
        for item in node.expressions:
            yield from _computed(shape.member, item, names, name)
    elif shape.type_name == "structure":
        members, complete = _object(node, names)
        if members is None:
            return
        yield from _members(shape, set(members), name, complete)
        for key, (value, scope) in members.items():
            if key in shape.members:
                yield from _computed(shape.members[key], value, scope, key)


def _object(node: Any, names: Names) -> tuple[dict[str, tuple[Any, Names]] | None, bool]:
    """The members of an object that an expression makes, and whether these are all; None where it can't be told."""
    node, names = _followed(node, names)
    if node is None:
        return None, False
    if node.type == "unary" and node.value == "{":
        pairs = {key.value: (value, names) for key, value in node.lhs_object if key.type == "string"}
        return pairs, len(pairs) == len(node.lhs_object)
    if _calls(node) == "merge" and node.arguments[0].type == "unary" and node.arguments[0].value == "[":
        merged: dict[str, tuple[Any, Names]] = {}
        whole = True
        for item in node.arguments[0].expressions:
            members, complete = _object(item, names)
            merged |= members or {}
            whole = whole and members is not None and complete
        return merged, whole
    return None, False


def _followed(node: Any, names: Names) -> tuple[Any, Names]:
    """The node that gives a value: the last of a block, what a variable stands for, the body of a function."""
    while node is not None:
        if node.type == "block":
            bound = {one.lhs.value: one.rhs for one in node.expressions if one.type == "bind"}
            names = {**names, **bound}
            node = node.expressions[-1] if node.expressions else None
        elif node.type == "variable" and node.value in names:
            name, node = node.value, names[node.value]
            names = {key: value for key, value in names.items() if key != name}
        elif getattr(names.get(_calls(node) or ""), "type", "") == "lambda":
            name = str(_calls(node))
            node = names[name].body
            names = {key: value for key, value in names.items() if key != name}
        else:
            break
    return node, names


def _calls(node: Any) -> str | None:
    """The name of the function that a node calls."""
    procedure = node.procedure if node.type == "function" else None
    return procedure.value if procedure is not None and procedure.type == "variable" else None
