# SPDX-License-Identifier: Apache-2.0
"""A request's KMS key and network reach everything that takes one, by the models of the APIs and resource types.

Wherever a resource of a template or a call of a state machine has an object that takes a key or a network, it is there,
or the place stands below with the reason why not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from chalicelib.catalog import Catalog
from chalicelib.intake.check import check_request
from chalicelib.settings import Settings
from mlops.deploy.template import load
from mlops.local.cloudformation.schemas import schema

from tests.support.blueprint_folders import EXAMPLES, ROOT
from tests.support.requested import Resolved

KEY = "arn:aws:kms:us-east-1:111122223333:key/0d990263-018e-4e65-a703-eff731de951e"
VPC = {"security_group_ids": ["sg-1"], "subnets": ["subnet-1", "subnet-2"]}
NETWORK = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]}
ASKED: dict[str, Any] = {"kms_key_arn": KEY, "vpc_config": VPC, "enable_network_isolation": True}
TAKES = re.compile(r"Kms(Master)?Key|^VpcConfig$|^NetworkIsolation$|^EnableNetworkIsolation$", re.IGNORECASE)

# Where a key or a network could stand and does not: the operation or type, the path, the reason.
NONE_NEEDED = {
    ("AWS::CodeBuild::Project", "VpcConfig"): "it needs the VPC's ID, too; a build runs no model and reads no data",
    (
        "AWS::Lambda::Function",
        "KmsKeyArn",
    ): "the environment has the endpoint's name, and nothing of the request's data",
    ("AWS::Lambda::Function", "VpcConfig"): "the function calls the endpoint through its API, and runs no model",
    ("AWS::Lambda::Function", "DurableConfig"): "the function is not durable",
    ("AWS::Lambda::Function", "Code"): "the zip is the orchestrator's, in its own bucket",
    (
        "AWS::Logs::LogGroup",
        "KmsKeyId",
    ): "the logs have no payload, and the key's policy would have to admit the service",
    ("AWS::SageMaker::EndpointConfig", "VpcConfig"): "the model has it, which the endpoint runs",
    ("AWS::SageMaker::EndpointConfig", "EnableNetworkIsolation"): "the model has it, which the endpoint runs",
    ("AWS::SageMaker::EndpointConfig", "ProductionVariants/CoreDumpConfig"): "no core dumps are asked for",
    (
        "AWS::StepFunctions::StateMachine",
        "EncryptionConfiguration",
    ): "it has the request, as the stack does, and no data",
    (
        "CreateHyperParameterTuningJob",
        "TrainingJobDefinition/HyperParameterTuningResourceConfig",
    ): "ResourceConfig has it",
    ("CreateTransformJob", "DataCaptureConfig"): "the job captures no data",
}

EVERY = [path for path in EXAMPLES if (ROOT / "blueprints") in path.parents]
each_example = pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)


def resolved(path: Path, catalog: Catalog, settings: Settings, folder: Path, **more: Any) -> Resolved:
    """An example's template with the parameters of its request, with no key and network but `more`."""
    registry = ".registry" in path.name
    body = json.loads(path.read_bytes())
    blueprint = catalog.find(body["pipeline_type"])
    _, fields = blueprint.schema(body["pipeline_type"], registry)
    body = {key: value for key, value in body.items() if key not in ASKED}
    body |= {key: value for key, value in more.items() if key in fields["properties"]}
    checked = check_request(json.dumps(body).encode(), catalog, replace(settings, use_model_registry=registry))
    return Resolved(load(folder / f"{blueprint.name}.yaml"), dict(checked.parameters))


@each_example
def test_the_key_and_the_network_reach_everything_that_takes_one(
    path: Path, catalog: Catalog, settings: Settings, catalog_folder: Path
) -> None:
    asked = resolved(path, catalog, settings, catalog_folder, **ASKED)
    assert [where for where, value in taken(asked) if value is None] == []
    wrong = [(where, value) for where, value in taken(asked) if value not in (None, KEY, NETWORK, True)]
    assert wrong == []


@each_example
def test_without_them_nothing_has_one(path: Path, catalog: Catalog, settings: Settings, catalog_folder: Path) -> None:
    asked = resolved(path, catalog, settings, catalog_folder)
    assert [(where, value) for where, value in taken(asked) if value not in (None, False)] == []
    roles = json.dumps([one for one in asked.resources.values() if one["Type"].startswith("AWS::IAM::")])
    assert "ec2:" not in roles


@each_example
def test_every_type_that_runs_containers_takes_a_network(path: Path, catalog: Catalog) -> None:
    body = json.loads(path.read_bytes())
    _, fields = catalog.find(body["pipeline_type"]).schema(body["pipeline_type"], ".registry" in path.name)
    assert not runs_containers(catalog, body) or "vpc_config" in fields["properties"]


def runs_containers(catalog: Catalog, body: Any) -> bool:
    return "sagemaker:Create" in catalog.find(body["pipeline_type"]).template or "AWS::SageMaker::Model" in str(
        catalog.find(body["pipeline_type"]).template
    )


def test_every_reason_is_needed(catalog: Catalog, settings: Settings, catalog_folder: Path) -> None:
    found = {
        excepted
        for path in EVERY
        for where, _ in _places(resolved(path, catalog, settings, catalog_folder, **ASKED))
        for excepted in _reasons(*where)
    }
    assert set(NONE_NEEDED) - found == set()


def taken(asked: Resolved) -> Iterator[tuple[tuple[str, str], Any]]:
    """Every place that takes a key or a network, and what is there; None where nothing is."""
    for where, value in _places(asked):
        if value is not None or not _reasons(*where):
            yield where, value


def _reasons(what: str, path: str) -> list[tuple[str, str]]:
    """The exceptions of a place: its own, or one of an object that it is in."""
    keys = path.split("/")
    return [one for end in range(1, len(keys) + 1) if (one := (what, "/".join(keys[:end]))) in NONE_NEEDED]


def _places(asked: Resolved) -> Iterator[tuple[tuple[str, str], Any]]:
    for operation, request in asked.calls():
        shape = _sagemaker().operation_model(operation).input_shape
        yield from (((operation, path), value) for path, value in _in_request(shape, request, ""))
    for resource in asked.resources.values():
        root = schema(resource["Type"])
        if root is not None:
            found = _in_resource(root, root, resource["Properties"], "")
            yield from (((resource["Type"], path), value) for path, value in found)


def _in_request(shape: Any, value: Any, path: str, deep: bool = True) -> Iterator[tuple[str, Any]]:
    """The places below a structure; of an absent one inside it, those directly in it."""
    if shape.type_name == "list":
        for item in value or []:
            yield from _in_request(shape.member, item, path)
    if shape.type_name != "structure":
        return
    for name, member in shape.members.items():
        given = (value or {}).get(name)
        here = f"{path}/{name}".lstrip("/")
        if TAKES.search(name) and member.type_name != "list":
            yield here, given
        elif given is not None or deep:
            yield from _in_request(member, given, here, deep=given is not None)


def _in_resource(root: Any, part: Any, value: Any, path: str, deep: bool = True) -> Iterator[tuple[str, Any]]:
    while "$ref" in part:
        part = root["definitions"][part["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        for item in value:
            yield from _in_resource(root, part.get("items", {}), item, path)
        return
    for name, member in part.get("properties", {}).items():
        given = value.get(name) if isinstance(value, dict) else None
        here = f"{path}/{name}".lstrip("/")
        if TAKES.search(name):
            yield here, given
        elif given is not None or deep:
            yield from _in_resource(root, member, given, here, deep=given is not None)


@cache
def _sagemaker() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")
