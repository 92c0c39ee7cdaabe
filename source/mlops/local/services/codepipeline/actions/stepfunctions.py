# SPDX-License-Identifier: Apache-2.0
"""The Step Functions action: starts an execution of a state machine and waits for its end."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING

from mlops.local.services.codepipeline.actions.base import ActionFailed, ActionType, Run

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

_PREFIX = re.compile(r"[0-9A-Za-z_-]+")


def run(action: Run) -> None:
    states = action.session.client("stepfunctions")
    prefix = action.configuration.get("ExecutionNamePrefix")
    name = f"{prefix}-{action.action_execution_id}" if prefix else action.action_execution_id
    machine = action.configuration["StateMachineArn"]
    try:
        arn = states.start_execution(stateMachineArn=machine, name=name[:80], input=_input(action))["executionArn"]
    except states.exceptions.StateMachineDoesNotExist as error:
        raise ActionFailed(f"StateMachineDoesNotExist: {error.response['Error']['Message']}") from error
    region = action.caller.region
    action.show(
        externalExecutionId=arn,
        externalExecutionUrl=f"https://{region}.console.aws.amazon.com/states/"
        f"home?region={region}#/executions/details/{arn}",
    )

    def ended() -> DescribeExecutionOutputTypeDef | None:
        execution = states.describe_execution(executionArn=arn)
        return None if execution["status"] in ("RUNNING", "PENDING_REDRIVE") else execution

    execution = action.wait_until(ended)
    action.variables.update(StateMachineArn=machine, ExecutionArn=arn)
    if execution["status"] != "SUCCEEDED":
        parts = [execution.get("error"), execution.get("cause")]
        said = ": ".join(part for part in parts if part)
        raise ActionFailed(
            f"The execution {name} of the state machine ended as {execution['status']}." + (f" {said}" if said else "")
        )
    action.show(externalExecutionSummary=f"Execution {name} succeeded")
    if action.output_names:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("output.json", execution.get("output", "{}"))
        action.write_artifact(action.output_names[0], content.getvalue())


def _input(action: Run) -> str:
    given = action.configuration.get("Input")
    if action.configuration.get("InputType", "Literal") == "Literal":
        text = given or "{}"
    else:
        text = action.read_file(f"{action.input_names[0]}::{given}" if action.input_names else f"::{given}")
    try:
        json.loads(text)
    except ValueError as error:
        raise ActionFailed("The state machine's input is not valid JSON", "ConfigurationError") from error
    return text


def _check(configuration: dict[str, str]) -> list[str]:
    kind, prefix = configuration.get("InputType", "Literal"), configuration.get("ExecutionNamePrefix")
    problems = []
    if kind not in ("Literal", "FilePath"):
        problems.append(f"'{kind}' for 'InputType', which must be Literal or FilePath")
    if kind == "FilePath" and "Input" not in configuration:
        problems.append("'FilePath' for 'InputType' without 'Input'")
    if prefix and not _PREFIX.fullmatch(prefix):
        problems.append(f"'{prefix}' for 'ExecutionNamePrefix', which may have letters, digits, - and _")
    return problems


TYPE = ActionType(
    run=run,
    keys=frozenset({"StateMachineArn", "ExecutionNamePrefix", "InputType", "Input"}),
    required=frozenset({"StateMachineArn"}),
    inputs=(0, 1),
    outputs=(0, 1),
    check=_check,
)
