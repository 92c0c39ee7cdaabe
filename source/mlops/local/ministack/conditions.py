# SPDX-License-Identifier: Apache-2.0
"""Conditions of CloudFormation templates: Fn::Join in them, which ministack compares as it is written."""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import changesets as _changesets
from ministack.services.cloudformation import engine as _engine
from ministack.services.cloudformation import handlers as _stack_operations
from ministack.services.cloudformation import stacks as _stacks

Template = dict[str, Any]


def join() -> None:
    """Have conditions join the items of lists, as `!Equals [!Join ["", !Ref Names], ""]` does to find an empty one."""
    before = _engine._evaluate_conditions

    def evaluate(template: Template, params: Template) -> Any:
        conditions = _joined(template.get("Conditions", {}), params)
        return before({**template, "Conditions": conditions} if conditions else template, params)

    _changesets._evaluate_conditions = _stack_operations._evaluate_conditions = evaluate
    _stacks._evaluate_conditions = evaluate


def _joined(node: Any, params: Template) -> Any:
    if isinstance(node, list):
        return [_joined(item, params) for item in node]
    if not isinstance(node, dict):
        return node
    match node.get("Fn::Join"):
        case [str(delimiter), {"Ref": str(name)}] if name in params:  # a list: one text with commas in it
            return delimiter.join(item.strip() for item in str(params[name]["Value"]).split(","))
        case [str(delimiter), list(items)]:
            return delimiter.join(str(_value(item, params)) for item in items)
    return {key: _joined(item, params) for key, item in node.items()}


def _value(item: Any, params: Template) -> Any:
    name = item.get("Ref") if isinstance(item, dict) else None
    return params[name]["Value"] if name in params else _joined(item, params)
