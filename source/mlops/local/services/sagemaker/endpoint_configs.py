# SPDX-License-Identifier: Apache-2.0
"""Endpoint configs: which models an endpoint serves, on what, and what of its traffic is captured."""

from __future__ import annotations

from typing import Any

from chalicelib.images.instances import has_local_storage

from mlops.local.kit import identity
from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import listing, models, tags
from mlops.local.services.sagemaker.service import PRINCIPAL, arn, invalid, now, sagemaker, store
from mlops.local.state.store import Record

_configs = store.table("EndpointConfig")


def find(name: str, caller: Caller) -> Record:
    if name not in _configs:
        raise invalid(f'Could not find endpoint configuration "{arn(caller, "endpoint-config", name)}".')
    return _configs[name]


@sagemaker.operation("CreateEndpointConfig")
def create_endpoint_config(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = request["EndpointConfigName"]
    config_arn = arn(caller, "endpoint-config", name)
    for member in ("AsyncInferenceConfig", "ShadowProductionVariants", "ExplainerConfig"):
        if request.get(member):
            raise invalid(f"The laptop account does not support {member}.")
    if request.get("ExecutionRoleArn"):
        identity.check_role(request["ExecutionRoleArn"], PRINCIPAL, caller, config_arn)
    _check_variants(request, caller)
    with _configs.lock:
        if name in _configs:
            raise invalid(f'Cannot create already existing endpoint configuration "{config_arn}".')
        tags.attach(config_arn, request, caller)
        _configs[name] = {
            **{member: value for member, value in request.items() if member != "Tags"},
            "EndpointConfigArn": config_arn,
            "CreationTime": now(),
        }
    return {"EndpointConfigArn": config_arn}


def _check_variants(request: dict[str, Any], caller: Caller) -> None:
    names = [variant["VariantName"] for variant in request["ProductionVariants"]]
    if len(set(names)) != len(names):
        raise invalid("Production variant names must be unique within an endpoint configuration.")
    for variant in request["ProductionVariants"]:
        where = f"Production variant {variant['VariantName']}"
        if "ModelName" not in variant:
            raise invalid(f"{where} needs a ModelName: the laptop account does not support inference components.")
        models.find(variant["ModelName"], caller)
        serverless, instance_type = variant.get("ServerlessConfig"), variant.get("InstanceType")
        if bool(serverless) == bool(instance_type):
            raise invalid(f"{where} needs either an InstanceType with an InitialInstanceCount or a ServerlessConfig.")
        if instance_type and not variant.get("InitialInstanceCount"):
            raise invalid(f"{where} needs an InitialInstanceCount of at least 1.")
        if instance_type and request.get("KmsKeyId") and has_local_storage(instance_type):
            raise invalid(
                f"KmsKeyId is not supported with instance type {instance_type}: it encrypts its local "
                "storage with a key of its own."
            )
    if sum(variant.get("InitialVariantWeight", 1.0) for variant in request["ProductionVariants"]) <= 0:
        raise invalid("The sum of the variants' weights must be greater than 0.")


@sagemaker.operation("DescribeEndpointConfig")
def describe_endpoint_config(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return find(request["EndpointConfigName"], caller)


@sagemaker.operation("ListEndpointConfigs")
def list_endpoint_configs(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return listing.page("EndpointConfig", _configs.values(), request)


@sagemaker.operation("DeleteEndpointConfig")
def delete_endpoint_config(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    with _configs.lock:
        config = find(request["EndpointConfigName"], caller)
        del _configs[request["EndpointConfigName"]]
    tags.forget(config["EndpointConfigArn"])
    return {}
