# SPDX-License-Identifier: Apache-2.0
"""`AWS::CodePipeline::Pipeline`."""

from __future__ import annotations

from typing import Any

from mlops.local.cloudformation.resources import Properties, Request, Resource, generated_name, resource
from mlops.local.services.codepipeline.records import api, pipeline_arn, pipelines

_NOT_DECLARED = {"Tags", "RestartExecutionOnUpdate", "DisableInboundStageTransitions"}


@resource
class Pipeline:
    type_name = "AWS::CodePipeline::Pipeline"

    def create(self, properties: Properties, request: Request) -> Resource:
        name = properties.get("Name") or generated_name(request, 100)
        if name not in pipelines:  # what is there already isn't this stack's
            request.identify(name)
        answer = api.call(
            "CreatePipeline", {"pipeline": _declaration(name, properties), "tags": _tags(properties)}, request.caller
        )
        _set_transitions(name, properties, request)
        return Resource(name, _attributes(answer["pipeline"], request))

    def update(self, physical_id: str, old: Properties, new: Properties, request: Request) -> Resource:
        declaration = _declaration(physical_id, new)
        if _declaration(physical_id, old) != declaration:
            api.call("UpdatePipeline", {"pipeline": declaration}, request.caller)
        _set_tags(physical_id, _tags(old), _tags(new), request)
        _set_transitions(physical_id, new, request)
        if new.get("RestartExecutionOnUpdate"):
            api.call("StartPipelineExecution", {"name": physical_id}, request.caller)
        return Resource(physical_id, _attributes(pipelines[physical_id]["declaration"], request))

    def delete(self, physical_id: str, properties: Properties, request: Request) -> None:
        api.call("DeletePipeline", {"name": physical_id}, request.caller)


def _declaration(name: str, properties: Properties) -> dict[str, Any]:
    declared = {key: value for key, value in properties.items() if key not in _NOT_DECLARED}
    declaration: dict[str, Any] = _camel({**declared, "Name": name})
    if stores := declaration.get("artifactStores"):
        declaration["artifactStores"] = {store["region"]: store["artifactStore"] for store in stores}
    return declaration


def _camel(value: Any) -> Any:
    """A template's PascalCase as the API's camelCase; an action's configuration keeps its keys."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if isinstance(value, dict):
        return {
            _member(key): _configuration(item) if key == "Configuration" else _camel(item)
            for key, item in value.items()
        }
    return value


def _member(key: str) -> str:
    return key[0].lower() + key[1:]


def _configuration(given: dict[str, Any]) -> dict[str, str]:
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in given.items()}


def _tags(properties: Properties) -> list[dict[str, str]]:
    return [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags", [])]


def _set_tags(name: str, old: list[dict[str, str]], new: list[dict[str, str]], request: Request) -> None:
    if old == new:
        return
    arn = pipeline_arn(name, request.caller)
    gone = {tag["key"] for tag in old} - {tag["key"] for tag in new}
    if gone:
        api.call("UntagResource", {"resourceArn": arn, "tagKeys": sorted(gone)}, request.caller)
    if new:
        api.call("TagResource", {"resourceArn": arn, "tags": new}, request.caller)


def _set_transitions(name: str, properties: Properties, request: Request) -> None:
    for transition in properties.get("DisableInboundStageTransitions", []):
        api.call(
            "DisableStageTransition",
            {
                "pipelineName": name,
                "stageName": transition["StageName"],
                "transitionType": "Inbound",
                "reason": transition["Reason"],
            },
            request.caller,
        )


def _attributes(declaration: dict[str, Any], request: Request) -> dict[str, Any]:
    return {"Version": str(declaration["version"]), "Arn": pipeline_arn(declaration["name"], request.caller)}
