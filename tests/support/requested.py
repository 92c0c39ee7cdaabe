# SPDX-License-Identifier: Apache-2.0
"""What a compiled template asks of AWS for the parameters of a request: resources, and its state machine's job."""

from __future__ import annotations

import json
import re
from typing import Any

from jsonata import Jsonata
from mlops.templates.job_states import expression

Template = dict[str, Any]

PSEUDO = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "stack",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:111122223333:stack/stack/1",
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING = object()


class Resolved:
    """A template with the values of its parameters in it, as CloudFormation resolves it."""

    def __init__(self, template: Template, parameters: dict[str, str]) -> None:
        self._template = template
        self._values: dict[str, Any] = dict(PSEUDO)
        for name, declared in template["Parameters"].items():
            value = str(parameters.get(name, declared.get("Default", "")))
            self._values[name] = value.split(",") if declared["Type"] == "CommaDelimitedList" else value
        self.resources: Template = {
            name: {**resource, "Properties": self._of(resource.get("Properties", {}))}
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self._holds({"Condition": resource["Condition"]})
        }

    def _of(self, node: Any) -> Any:
        if isinstance(node, list):
            return [found for item in node if (found := self._of(item)) is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(function, argument)] = node.items()
            if function == "Ref":
                return _NOTHING if argument == "AWS::NoValue" else self._values.get(argument, f"of-{argument}")
            if function.startswith("Fn::"):
                return self._call(function, argument)
        return {key: found for key, item in node.items() if (found := self._of(item)) is not _NOTHING}

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Fn::GetAtt":
                return f"arn-of-{argument[0] if isinstance(argument, list) else argument.partition('.')[0]}"
            case "Fn::If":
                return self._of(argument[1] if self._holds({"Condition": argument[0]}) else argument[2])
            case "Fn::Join":
                return argument[0].join(self._of(argument[1]))
            case "Fn::Split":
                return self._of(argument[1]).split(argument[0])
            case "Fn::Select":
                return self._of(argument[1])[int(argument[0])]
            case "Fn::Sub":
                text, own = argument if isinstance(argument, list) else (argument, {})
                values = {name: self._of(value) for name, value in own.items()}
                return re.sub(
                    r"\$\{([^!}][^}]*)\}",
                    lambda found: str(values[found[1]] if found[1] in values else self._of({"Ref": found[1]})),
                    text,
                )
        raise NotImplementedError(function)

    def _holds(self, node: Any) -> bool:
        [(function, argument)] = node.items()
        match function:
            case "Condition":
                return self._holds(self._template["Conditions"][argument])
            case "Fn::Equals":
                return bool(self._of(argument[0]) == self._of(argument[1]))
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::And":
                return all(self._holds(one) for one in argument)
            case "Fn::Or":
                return any(self._holds(one) for one in argument)
        raise NotImplementedError(function)

    def calls(self) -> list[tuple[str, Any]]:
        """How the state machines create their SageMaker jobs: operation and request."""
        machines = [one for one in self.resources.values() if one["Type"] == "AWS::StepFunctions::StateMachine"]
        return [_run(one["Properties"]["Definition"]) for one in machines]


def _run(machine: Template) -> tuple[str, Any]:
    """The call that creates the machine's job; what comes after it depends on what the job is described as."""
    states = machine["States"]
    assert len([one for one in states.values() if _creates_job(one)]) == 1, "machines of several jobs: not yet"
    variables: dict[str, Any] = {"is_free": True}
    state = states[machine["StartAt"]]
    while not (found := _creates_job(state)):
        if state["Type"] == "Pass":
            variables |= _computed(state.get("Assign", {}), variables)
        state = states[state["Next"]]
    return found[1][0].upper() + found[1][1:], _computed(state["Arguments"], variables)


def _creates_job(state: Template) -> re.Match[str] | None:
    return re.search(r":sagemaker:(create\w*Job\w*)", str(state.get("Resource")))


def _computed(node: Any, variables: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        return {key: _computed(item, variables) for key, item in node.items()}
    if isinstance(node, list):
        return [_computed(item, variables) for item in node]
    text = expression(node)
    if text is None:
        return node
    compiled = Jsonata(text)
    compiled.register_lambda("parse", json.loads)  # Step Functions' own
    for name, value in variables.items():
        compiled.assign(name, value)
    return compiled.evaluate(None)
