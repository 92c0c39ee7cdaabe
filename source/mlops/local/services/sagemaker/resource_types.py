# SPDX-License-Identifier: Apache-2.0
"""SageMaker's CloudFormation resource types. Ref gives the ARN, Fn::GetAtt the name."""

from __future__ import annotations

import time
from typing import Any

from mlops.local.cloudformation.resources import Request, Resource, generated_name, resource
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.sagemaker.service import ARN_KINDS, arn, sagemaker, store
from mlops.local.settings import TIMING

Properties = dict[str, Any]
_NAME_LIMIT = 63


def _tags_changed(arn: str, old: Properties, new: Properties, caller: Caller) -> None:
    before = {tag["Key"] for tag in old.get("Tags", [])}
    after = {tag["Key"]: tag["Value"] for tag in new.get("Tags", [])}
    if before - after.keys():
        sagemaker.call("DeleteTags", {"ResourceArn": arn, "TagKeys": sorted(before - after.keys())}, caller)
    if after and old.get("Tags") != new.get("Tags"):
        sagemaker.call("AddTags", {"ResourceArn": arn, "Tags": new["Tags"]}, caller)


def _delete(operation: str, request: dict[str, Any], caller: Caller) -> bool:
    """Delete what may be gone already; whether it was there."""
    try:
        sagemaker.call(operation, request, caller)
    except ApiError as error:
        if "Could not find" in error.message or "does not exist" in error.message:
            return False
        raise
    return True


class _Named:
    """A resource with a name that CloudFormation makes up if the template gives none."""

    type_name: str
    kind: str  # what it is called in the API: Model, EndpointConfig, ...

    def create(self, properties: Properties, request: Request) -> Resource:
        name = properties.get(f"{self.kind}Name") or generated_name(request, _NAME_LIMIT)
        future = arn(request.caller, ARN_KINDS[self.kind], name)
        if not self._name(future):  # what is there already isn't this stack's
            request.identify(future)
        answer = sagemaker.call(f"Create{self.kind}", {**properties, f"{self.kind}Name": name}, request.caller)
        return self._made(answer[f"{self.kind}Arn"], name)

    def update(self, physical_id: str, old: Properties, new: Properties, request: Request) -> Resource:
        _tags_changed(physical_id, old, new, request.caller)
        # what was deleted behind the stack's back is asked for all the same: the API says that it isn't there
        return self._made(physical_id, self._name(physical_id) or physical_id.rsplit("/", 1)[-1])

    def delete(self, physical_id: str, properties: Properties, request: Request) -> None:
        name = self._name(physical_id)
        if name:
            _delete(f"Delete{self.kind}", {f"{self.kind}Name": name}, request.caller)

    def _made(self, arn: str, name: str) -> Resource:
        return Resource(arn, {f"{self.kind}Name": name, f"{self.kind}Arn": arn})

    def _name(self, arn: str) -> str:
        """The name of what an ARN stands for; none once it is gone."""
        return _names(self.kind).get(arn, "")


def _names(kind: str) -> dict[str, str]:
    return {record[f"{kind}Arn"]: record[f"{kind}Name"] for record in store.table(kind).values()}


@resource
class Model(_Named):
    type_name = "AWS::SageMaker::Model"
    kind = "Model"


@resource
class EndpointConfig(_Named):
    type_name = "AWS::SageMaker::EndpointConfig"
    kind = "EndpointConfig"


@resource
class Endpoint(_Named):
    """Made and changed when it is InService; an update that was rolled back has failed."""

    type_name = "AWS::SageMaker::Endpoint"
    kind = "Endpoint"
    _OF_UPDATES = ("RetainAllVariantProperties", "ExcludeRetainedVariantProperties", "RetainDeploymentConfig")

    def create(self, properties: Properties, request: Request) -> Resource:
        given = {name: value for name, value in properties.items() if name not in self._OF_UPDATES}
        made = super().create(given, request)
        try:
            self._wait(made.attributes["EndpointName"], request.caller)
        except ApiError:
            self.delete(made.physical_id, properties, request)  # as CloudFormation's rollback does
            raise
        return made

    def update(self, physical_id: str, old: Properties, new: Properties, request: Request) -> Resource:
        made = super().update(physical_id, old, new, request)
        if any(old.get(name) != new.get(name) for name in new.keys() | old.keys() if name != "Tags"):
            name = made.attributes["EndpointName"]
            change = {member: value for member, value in new.items() if member != "Tags"}
            sagemaker.call("UpdateEndpoint", {**change, "EndpointName": name}, request.caller)
            self._wait(name, request.caller)
        return made

    def delete(self, physical_id: str, properties: Properties, request: Request) -> None:
        name = self._name(physical_id)
        if not name:
            return
        while self._status(name, request.caller) in ("Creating", "Updating", "RollingBack"):
            time.sleep(TIMING.poll)
        super().delete(physical_id, properties, request)
        while name in _names(self.kind).values():
            time.sleep(TIMING.poll)

    def _status(self, name: str, caller: Caller) -> str:
        return str(sagemaker.call("DescribeEndpoint", {"EndpointName": name}, caller)["EndpointStatus"])

    def _wait(self, name: str, caller: Caller) -> None:
        while True:
            endpoint = sagemaker.call("DescribeEndpoint", {"EndpointName": name}, caller)
            if endpoint["EndpointStatus"] in ("InService", "Failed"):
                if "FailureReason" in endpoint:
                    raise ApiError("NotStabilized", endpoint["FailureReason"])
                return
            time.sleep(TIMING.poll)


@resource
class ModelPackageGroup(_Named):
    type_name = "AWS::SageMaker::ModelPackageGroup"
    kind = "ModelPackageGroup"

    def create(self, properties: Properties, request: Request) -> Resource:
        if "ModelPackageGroupPolicy" in properties:
            raise ApiError("ValidationException", "The laptop account does not support ModelPackageGroupPolicy.")
        return super().create(properties, request)


@resource
class ModelPackage(_Named):
    """A version of a group, or a package by a name of its own."""

    type_name = "AWS::SageMaker::ModelPackage"
    kind = "ModelPackage"
    _CHANGEABLE = (
        "ModelApprovalStatus",
        "ApprovalDescription",
        "CustomerMetadataProperties",
        "SourceUri",
        "ModelCard",
        "AdditionalInferenceSpecificationsToAdd",
    )

    def create(self, properties: Properties, request: Request) -> Resource:
        given = dict(properties)
        if "ModelPackageGroupName" in given:  # a version has its group's tags, and takes none from the stack
            given["Tags"] = [tag for tag in given.get("Tags", []) if not tag["Key"].startswith("aws:")] or None
        else:
            given.setdefault("ModelPackageName", generated_name(request, _NAME_LIMIT))
        given = {name: value for name, value in given.items() if value is not None}
        answer = sagemaker.call("CreateModelPackage", given, request.caller)
        return self._described(answer["ModelPackageArn"], request.caller)

    def update(self, physical_id: str, old: Properties, new: Properties, request: Request) -> Resource:
        _tags_changed(physical_id, old, new, request.caller)
        change = {name: new[name] for name in self._CHANGEABLE if name in new and new[name] != old.get(name)}
        if change:
            sagemaker.call("UpdateModelPackage", {**change, "ModelPackageArn": physical_id}, request.caller)
        return self._described(physical_id, request.caller)

    def delete(self, physical_id: str, properties: Properties, request: Request) -> None:
        _delete("DeleteModelPackage", {"ModelPackageName": physical_id}, request.caller)

    def _described(self, arn: str, caller: Caller) -> Resource:
        package = sagemaker.call("DescribeModelPackage", {"ModelPackageName": arn}, caller)
        return Resource(
            arn,
            {
                name: package[name]
                for name in ("ModelPackageArn", "ModelPackageStatus", "ModelPackageName", "ModelPackageVersion")
                if name in package
            },
        )
