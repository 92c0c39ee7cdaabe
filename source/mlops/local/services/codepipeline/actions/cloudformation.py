# SPDX-License-Identifier: Apache-2.0
"""The CloudFormation action: creates, updates or deletes a stack and waits until that has ended."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mlops.local.services.codepipeline.actions.base import ActionFailed, ActionType, Run

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef as Stack

_MODES = ("CREATE_UPDATE", "DELETE_ONLY", "REPLACE_ON_FAILURE")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_LARGEST_BODY = 51_200  # bytes
_FAILED_STACKS = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")


def run(action: Run) -> None:
    mode, name = action.configuration["ActionMode"], action.configuration["StackName"]
    stack = _describe(action, name)
    if mode == "DELETE_ONLY":
        if stack is not None:
            _delete(action, name, stack)
        return
    if mode == "REPLACE_ON_FAILURE" and stack is not None and stack["StackStatus"] in _FAILED_STACKS:
        _delete(action, name, stack)
        stack = None
    wanted = _wanted(action)
    good_ends = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    if stack is None:
        stack_id = action.session.client("cloudformation").create_stack(StackName=name, **wanted)["StackId"]
    elif not _update(action, stack, wanted):
        # What is there is what is wanted, whatever the last update came to.
        stack_id, good_ends = stack["StackId"], {*good_ends, "UPDATE_ROLLBACK_COMPLETE"}
    else:
        stack_id = stack["StackId"]
    _show(action, stack_id, name)
    stack = _settled(action, stack_id)
    if stack["StackStatus"] not in good_ends:
        raise ActionFailed(_reason(action, stack))
    action.variables.update({output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])})
    action.show(externalExecutionSummary=f"Stack {name} is {stack['StackStatus']}")
    if action.output_names:
        action.write_artifact(
            action.output_names[0],
            _zipped(action.configuration.get("OutputFileName", "outputs.json"), json.dumps(action.variables)),
        )


# --- what the stack is to be -------------------------------------------------------------------------------


def _wanted(action: Run) -> dict[str, Any]:
    """The arguments of CreateStack and UpdateStack."""
    configuration = action.configuration
    settings = _template_configuration(action)
    parameters = {**settings.get("Parameters", {}), **_overrides(action)}
    wanted: dict[str, Any] = {
        **_template(action, action.read_file(configuration["TemplatePath"])),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Capabilities": [word.strip() for word in configuration.get("Capabilities", "").split(",") if word.strip()],
        "RoleARN": configuration["RoleArn"],
    }
    if tags := settings.get("Tags"):
        wanted["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    if policy := settings.get("StackPolicy"):
        wanted["StackPolicyBody"] = json.dumps(policy)
    return wanted


def _template(action: Run, text: str) -> dict[str, str]:
    """A template as CloudFormation takes it: large ones by URL."""
    if len(text.encode()) <= _LARGEST_BODY:
        return {"TemplateBody": text}
    s3 = action.session.client("s3")
    location = action.store("template", text.encode())
    return {"TemplateURL": f"{s3.meta.endpoint_url}/{location['bucket']}/{location['key']}"}


def _template_configuration(action: Run) -> dict[str, Any]:
    reference = action.configuration.get("TemplateConfiguration")
    if not reference:
        return {}
    settings = _object(action.read_file(reference), "TemplateConfiguration")
    unknown = sorted(settings.keys() - {"Parameters", "Tags", "StackPolicy"})
    if unknown:
        raise ActionFailed(
            f"The template configuration file has unknown keys: {', '.join(unknown)}", "ConfigurationError"
        )
    for section in ("Parameters", "Tags"):
        for key, value in settings.get(section, {}).items():
            if not isinstance(value, str):
                raise ActionFailed(
                    f"{section} in the template configuration file must be strings, and {key} is not",
                    "ConfigurationError",
                )
    return settings


def _overrides(action: Run) -> dict[str, str]:
    """ParameterOverrides: texts, and the two functions that look into artifacts."""
    overrides = _object(action.configuration.get("ParameterOverrides") or "{}", "ParameterOverrides")
    return {name: value if isinstance(value, str) else _call(action, name, value) for name, value in overrides.items()}


def _call(action: Run, name: str, value: Any) -> str:
    match value:
        case {"Fn::GetArtifactAtt": [str(artifact), str(attribute)]} if artifact in action.input_names:
            location = action.execution["artifacts"][artifact]
            attributes = {
                "BucketName": location["bucket"],
                "ObjectKey": location["key"],
                "URL": f"https://s3.amazonaws.com/{location['bucket']}/{location['key']}",
            }
            if attribute in attributes:
                return str(attributes[attribute])
        case {"Fn::GetParam": [str(artifact), str(file), str(key)]}:
            content = _object(action.read_file(f"{artifact}::{file}"), file)
            if isinstance(content.get(key), str):
                return str(content[key])
    raise ActionFailed(f"ParameterOverrides has no valid value for {name}", "ConfigurationError")


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ActionFailed(f"{what} is not valid JSON: {error}", "ConfigurationError") from error
    if not isinstance(content, dict):
        raise ActionFailed(f"{what} is not a JSON object", "ConfigurationError")
    return content


def _zipped(name: str, text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, text)
    return content.getvalue()


# --- the stack ---------------------------------------------------------------------------------------------


def _describe(action: Run, name: str) -> Stack | None:
    try:
        return action.session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise


def _update(action: Run, stack: Stack, wanted: dict[str, Any]) -> bool:
    """Begin an update; False where CloudFormation sees nothing to update."""
    try:
        action.session.client("cloudformation").update_stack(StackName=stack["StackName"], **wanted)
    except ClientError as error:
        if "No updates are to be performed" not in error.response["Error"]["Message"]:
            raise
        return False
    return True


def _delete(action: Run, name: str, stack: Stack) -> None:
    cloudformation = action.session.client("cloudformation")
    cloudformation.delete_stack(StackName=name, RoleARN=action.configuration["RoleArn"])
    _show(action, stack["StackId"], name)
    deleted = _settled(action, stack["StackId"])
    if deleted["StackStatus"] != "DELETE_COMPLETE":
        raise ActionFailed(_reason(action, deleted))


def _settled(action: Run, stack_id: str) -> Stack:
    def settled() -> Stack | None:
        stack = _describe(action, stack_id)
        if stack is None:
            raise ActionFailed(f"Stack {stack_id} no longer exists")
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    return action.wait_until(settled)


def _show(action: Run, stack_id: str, name: str) -> None:
    region = action.caller.region
    action.show(
        externalExecutionId=stack_id,
        externalExecutionUrl=f"https://{region}.console.aws.amazon.com/cloudformation/home?region={region}"
        f"#/stacks/stackinfo?filteringText={name}&stackId={stack_id}",
    )


def _reason(action: Run, stack: Stack) -> str:
    """The resources that failed in the stack's last operation, and why the first of them did."""
    events = (
        action.session.client("cloudformation")
        .get_paginator("describe_stack_events")
        .paginate(StackName=stack["StackId"])
        .build_full_result()["StackEvents"]
    )
    failed: list[tuple[str, str]] = []
    for event in events:  # newest first, back to where the operation began
        own = event["LogicalResourceId"] == stack["StackName"]
        if own and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
            break
        if not own and event["ResourceStatus"].endswith("_FAILED"):
            failed.insert(0, (event["LogicalResourceId"], event.get("ResourceStatusReason", "")))
    if not failed:
        return f"Stack {stack['StackName']} is {stack['StackStatus']}: {stack.get('StackStatusReason', '')}"
    name, reason = failed[0]
    what = {"C": "create", "R": "create", "U": "update", "D": "delete"}[stack["StackStatus"][0]]
    names = ", ".join(name for name, _ in failed)
    return f"The following resource(s) failed to {what}: [{names}]. {name}: {reason}"


def _check(configuration: dict[str, str]) -> list[str]:
    mode = configuration["ActionMode"]
    if mode not in _MODES:
        return [f"'{mode}' for 'ActionMode'; the laptop account supports {', '.join(_MODES)}"]
    if "RoleArn" not in configuration:
        return ["missing key 'RoleArn'"]
    if mode != "DELETE_ONLY" and "::" not in configuration.get("TemplatePath", ""):
        return ["no 'TemplatePath' of the form Artifact::file"]
    return []


TYPE = ActionType(
    run=run,
    keys=frozenset(
        {
            "ActionMode",
            "StackName",
            "TemplatePath",
            "TemplateConfiguration",
            "ParameterOverrides",
            "Capabilities",
            "RoleArn",
            "OutputFileName",
        }
    ),
    required=frozenset({"ActionMode", "StackName"}),
    inputs=(0, 10),
    outputs=(0, 1),
    check=_check,
)
