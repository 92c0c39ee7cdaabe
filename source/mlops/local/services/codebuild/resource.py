# SPDX-License-Identifier: Apache-2.0
"""`AWS::CodeBuild::Project`."""

from __future__ import annotations

from typing import Any

from mlops.local.cloudformation.resources import Properties, Request, Resource, generated_name, resource
from mlops.local.services.codebuild.records import api, project_arn, projects

_NAME_LIMIT = 150
_MEMBERS = {"BuildSpec": "buildspec"}  # whose name is not the property's with its first letter in lower case


@resource
class Project:
    type_name = "AWS::CodeBuild::Project"

    def create(self, properties: Properties, request: Request) -> Resource:
        name = properties.get("Name") or generated_name(request, _NAME_LIMIT)
        if name not in projects:  # what is there already isn't this stack's
            request.identify(name)
        api.call("CreateProject", {**_members(properties), "name": name}, request.caller)
        return _made(name, request)

    def update(self, physical_id: str, old: Properties, new: Properties, request: Request) -> Resource:
        api.call("UpdateProject", {**_members(new), "name": physical_id}, request.caller)
        return _made(physical_id, request)

    def delete(self, physical_id: str, properties: Properties, request: Request) -> None:
        api.call("DeleteProject", {"name": physical_id}, request.caller)


def _members(value: Any) -> Any:
    """A template's PascalCase as the API's camelCase."""
    if isinstance(value, list):
        return [_members(item) for item in value]
    if isinstance(value, dict):
        return {_MEMBERS.get(key, key[0].lower() + key[1:]): _members(item) for key, item in value.items()}
    return value


def _made(name: str, request: Request) -> Resource:
    return Resource(name, {"Arn": project_arn(request.caller, name)})
