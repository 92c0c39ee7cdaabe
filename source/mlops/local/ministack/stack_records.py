# SPDX-License-Identifier: Apache-2.0
"""What a stack records while it works, so that after a kill nothing it made is forgotten.

A resource of our own types is recorded before it is made, as soon as its physical id is known. One of ministack's types
is made and recorded, or deleted and forgotten, in one go: no state of the account is taken in between
(`state.stacks_at_rest`). An update records what the stack was before. In: ministack's stack operations. Out: stacks
that `settle` brings into a state from which DeleteStack or ContinueUpdateRollback goes on.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ministack.services import cloudformation as _cloudformation
from ministack.services.cloudformation import changesets as _changesets
from ministack.services.cloudformation import handlers as _stack_operations
from ministack.services.cloudformation import provisioners as _provisioners
from ministack.services.cloudformation import stacks as _stacks

from mlops.local.ministack import cloudformation, context, state

Record = dict[str, Any]
_MAKING = "_mlops_making"  # by logical id: what the operation has made or updated, or is about to
_OPERATION = "_mlops_operation"  # of an update: the stack before it, and what it is to become
_KEPT = (
    "_resources",
    "_template",
    "_template_body",
    "_resolved_params",
    "_conditions",
    "Parameters",
    "Tags",
    "Outputs",
)


def install() -> None:
    """After everything else that wraps ministack's provisioning."""
    _record_resources()
    _record_operations()


def making(stack_name: str, logical_id: str, type_name: str, physical_id: str, properties: Record) -> None:
    """Record a resource that is about to be made; it stays recorded until the operation has ended."""
    stack = cloudformation.stack(stack_name)
    if stack is not None:
        stack.setdefault(_MAKING, {})[logical_id] = {
            "PhysicalResourceId": physical_id,
            "ResourceType": type_name,
            "Properties": properties,
        }


def _record_resources() -> None:
    provision, update, delete = _stacks._provision_resource, _stacks._update_resource, _stacks._delete_resource

    def recorded(stack_name: str, logical_id: str, type_name: str, new: Record, make: Any) -> Any:
        try:
            if _stacks._runs_on_worker_thread(type_name):
                return make()
            with state.stacks_at_rest():
                made = make()
                making(stack_name, logical_id, type_name, made[0], new)
                return made
        except Exception:
            (cloudformation.stack(stack_name) or {}).get(_MAKING, {}).pop(logical_id, None)
            raise

    def recorded_provision(type_name: str, logical_id: str, new: Record, stack_name: str) -> Any:
        return recorded(
            stack_name, logical_id, type_name, new, lambda: provision(type_name, logical_id, new, stack_name)
        )

    def recorded_update(
        type_name: str, physical_id: str, old: Record, new: Record, stack_name: str, logical_id: str, *rest: Any
    ) -> Any:
        def make() -> Any:
            return update(type_name, physical_id, old, new, stack_name, logical_id, *rest)

        if old == new:
            return make()
        if not _provisioners._replacing_change(type_name, old, new):
            making(stack_name, logical_id, type_name, physical_id, new)
        return recorded(stack_name, logical_id, type_name, new, make)

    def recorded_delete(
        type_name: str,
        physical_id: str,
        properties: Record,
        stack_name: str | None = None,
        logical_id: str | None = None,
    ) -> None:
        stack = cloudformation.stack(stack_name or "") or {}
        if stack.get("StackStatus") == "UPDATE_IN_PROGRESS" and _OPERATION in stack:
            stack[_OPERATION]["cleaning"] = True  # what it replaced goes: from here on it can only be completed
        if _stacks._runs_on_worker_thread(type_name):
            delete(type_name, physical_id, properties, stack_name, logical_id)
            return
        with state.stacks_at_rest():
            delete(type_name, physical_id, properties, stack_name, logical_id)
            held = stack.get("_resources", {})
            if held.get(logical_id, {}).get("PhysicalResourceId") == physical_id:
                del held[logical_id]  # as ministack does next: what is gone is not deleted again after a kill

    _stacks._provision_resource, _stacks._update_resource = recorded_provision, recorded_update
    _stacks._delete_resource = recorded_delete


def _record_operations() -> None:
    deploy = _stacks._deploy_stack_async

    def recorded(
        stack_name: str,
        stack_id: str,
        template: Record,
        param_values: Record,
        *rest: Any,
        previous_stack: Record | None = None,
        **more: Any,
    ) -> Any:
        stack = cloudformation.stack(stack_name)
        if stack is not None:
            stack.pop(_MAKING, None)
        if stack is not None and previous_stack:
            stack[_OPERATION] = {"before": previous_stack, "template": template, "parameters": param_values}

        async def run() -> None:
            try:
                await deploy(stack_name, stack_id, template, param_values, *rest, previous_stack=previous_stack, **more)
            finally:
                for name in (_OPERATION, _MAKING):
                    (stack or {}).pop(name, None)

        return run()

    _stack_operations._deploy_stack_async = _changesets._deploy_stack_async = recorded


# --- after a kill ------------------------------------------------------------------------------------------


def settle(ends: Mapping[str, str], reason: str) -> list[tuple[str, str, Record]]:
    """Give every stack that was at work the status `ends` has for it.

    Returns account, region and stack for each that was being deleted.
    """
    deletions = []
    for (account_id, region, name), stack in _cloudformation._stacks.to_dict().items():
        ended = ends.get(stack["StackStatus"])
        if not ended:
            continue
        _gather(stack)
        stack.update(StackStatus=ended, StackStatusReason=reason)
        with context.scope(account_id, region):
            _stacks._add_event(
                stack["StackId"], name, name, "AWS::CloudFormation::Stack", ended, reason, stack["StackId"]
            )
        if ended == "DELETE_FAILED":
            deletions.append((account_id, region, stack))
    return deletions


def delete_again(stack: Record) -> None:
    """Go on with a deletion, on the event loop, as whoever is asking."""
    deletion = _stacks._delete_stack_async(stack["StackName"], stack["StackId"])
    _stack_operations._create_stack_task_in_region(deletion, stack, stack["StackId"])


def _gather(stack: Record) -> None:
    """Let a stack hold what it was making; or, in an update, know what ContinueUpdateRollback has to do."""
    in_hand, operation = stack.pop(_MAKING, {}), stack.pop(_OPERATION, None)
    if operation is None:
        for logical_id, one in in_hand.items():
            stack["_resources"].setdefault(
                logical_id,
                {**one, "LogicalResourceId": logical_id, "ResourceStatus": "CREATE_FAILED", "Attributes": {}},
            )
    elif operation.get("cleaning"):
        _complete(stack, operation)
    else:
        _undo(stack, operation["before"], in_hand)


def _undo(stack: Record, before: Record, in_hand: Record) -> None:
    """The stack is what it was before its update; what the update did is still to be undone."""
    held, reverts, deletes = before["_resources"], {}, {}
    for logical_id, one in [*stack["_resources"].items(), *in_hand.items()]:
        old = held.get(logical_id)
        if old is None or old["PhysicalResourceId"] != one["PhysicalResourceId"]:
            deletes[logical_id] = one
        elif old["Properties"] != one["Properties"]:
            tagged = _stacks._with_stack_tags(
                old["ResourceType"],
                old["Properties"],
                before.get("Tags") or [],
                stack["StackName"],
                stack["StackId"],
                logical_id,
            )
            reverts[logical_id] = {
                "PhysicalResourceId": old["PhysicalResourceId"],
                "ResourceType": old["ResourceType"],
                "RevertFrom": one["Properties"],
                "RevertTo": tagged,
                "Attributes": old["Attributes"],
            }
    stack.update({name: copy.deepcopy(before[name]) for name in _KEPT if name in before})
    stack["_rollback_failed"] = {**reverts, **_in_reverse(deletes)}


def _complete(stack: Record, operation: Record) -> None:
    """The stack is what its update made of it; what that replaced or dropped is still to be deleted."""
    template, parameters, now = operation["template"], operation["parameters"], stack["_resources"]
    deletes = {}
    for logical_id, old in operation["before"]["_resources"].items():
        defined = template["Resources"].get(logical_id)
        if defined is None or not stack["_conditions"].get(defined.get("Condition"), True):
            deletes[logical_id] = old
            now.pop(logical_id, None)
        elif now[logical_id]["PhysicalResourceId"] == old["PhysicalResourceId"]:
            continue
        elif defined.get("UpdateReplacePolicy") not in ("Retain", "Snapshot"):
            deletes[logical_id] = old
    stack["Outputs"], _ = _stacks._resolve_stack_outputs(
        template.get("Outputs", {}),
        stack["_conditions"],
        now,
        parameters,
        template.get("Mappings", {}),
        stack["StackName"],
        stack["StackId"],
    )
    stack.update(_template=template, _resolved_params=parameters, _rollback_failed=_in_reverse(deletes))


def _in_reverse(resources: Record) -> Record:
    """To be deleted: what was made last goes first."""
    return {
        logical_id: {name: one[name] for name in ("PhysicalResourceId", "ResourceType", "Properties")}
        for logical_id, one in reversed(resources.items())
    }
