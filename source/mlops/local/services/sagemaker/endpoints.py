# SPDX-License-Identifier: Apache-2.0
"""Endpoints: the API, and how a deployment comes up, is swapped for another, or is rolled back.

An update loads the new config beside the old one, and only swaps once it serves; if it doesn't, the endpoint is
InService on the old config again and FailureReason says why.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from typing import Any

from mlops.local.kit import identity
from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import endpoint_configs, listing, serving, tags
from mlops.local.services.sagemaker.service import arn, invalid, now, put_event, sagemaker, store
from mlops.local.settings import CUT_OFF, TIMING
from mlops.local.state.store import Record

_LOG = logging.getLogger(__name__)
_endpoints = store.table("Endpoint")
_deployed: dict[str, list[serving.Variant]] = {}  # by endpoint ARN; filled again on demand after a restart
_loading: dict[str, threading.Lock] = defaultdict(threading.Lock)  # by endpoint ARN: one thread loads its models
_CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_SERVING = ("InService", "Updating", "SystemUpdating", "RollingBack")


def find(name: str, caller: Caller) -> Record:
    if name not in _endpoints:
        raise invalid(f'Could not find endpoint "{arn(caller, "endpoint", name)}".')
    return _endpoints[name]


def serving_variants(name: str, caller: Caller) -> list[serving.Variant]:
    """The variants that answer for an endpoint; none while there is nothing that serves."""
    endpoint = _endpoints.get(name)
    if endpoint is None or endpoint["EndpointStatus"] not in _SERVING:
        return []
    endpoint_arn = endpoint["EndpointArn"]
    if endpoint_arn not in _deployed:
        with _loading[endpoint_arn]:
            if endpoint_arn not in _deployed:
                _deployed[endpoint_arn] = serving.load(endpoint["_Config"], caller, endpoint_arn)
    return _deployed[endpoint_arn]


# --- operations --------------------------------------------------------------------------------------------


@sagemaker.operation("CreateEndpoint")
def create_endpoint(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = request["EndpointName"]
    endpoint_arn = arn(caller, "endpoint", name)
    config = endpoint_configs.find(request["EndpointConfigName"], caller)
    moment = now()
    with _endpoints.lock:
        taken = next((other for other in _endpoints if other.lower() == name.lower()), None)
        if taken is not None:  # names differ by more than case, but are looked up with it
            raise invalid(f'Cannot create already existing endpoint "{arn(caller, "endpoint", taken)}".')
        tags.attach(endpoint_arn, request, caller)
        endpoint = _endpoints[name] = {
            "EndpointName": name,
            "EndpointArn": endpoint_arn,
            "EndpointConfigName": request["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "CreationTime": moment,
            "LastModifiedTime": moment,
            **({"LastDeploymentConfig": request["DeploymentConfig"]} if "DeploymentConfig" in request else {}),
        }
    _tell(endpoint, caller)
    identity.spawn(_create, endpoint, dict(config), caller)
    return {"EndpointArn": endpoint_arn}


@sagemaker.operation("UpdateEndpoint")
def update_endpoint(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    config = endpoint_configs.find(request["EndpointConfigName"], caller)
    with _endpoints.lock:
        endpoint = find(request["EndpointName"], caller)
        if endpoint["EndpointStatus"] in _CHANGING:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        if "_Config" not in endpoint:
            raise invalid(
                f'Cannot update endpoint "{endpoint["EndpointArn"]}": its creation failed. '
                "Delete the endpoint and recreate it."
            )
        if "DeploymentConfig" in request:
            endpoint["LastDeploymentConfig"] = request["DeploymentConfig"]
        elif not request.get("RetainDeploymentConfig"):
            endpoint.pop("LastDeploymentConfig", None)
        endpoint.pop("FailureReason", None)
        _set_status(endpoint, "Updating")
    _tell(endpoint, caller)
    identity.spawn(_update, endpoint, _retained(request, endpoint, config), caller)
    return {"EndpointArn": endpoint["EndpointArn"]}


def _retained(request: dict[str, Any], endpoint: Record, config: Record) -> Record:
    """The new config, with the weights and instance counts of the running variants where those are to stay."""
    if not request.get("RetainAllVariantProperties"):
        return dict(config)
    excluded = {item["VariantPropertyType"] for item in request.get("ExcludeRetainedVariantProperties", [])}
    running = {variant["VariantName"]: variant for variant in endpoint["ProductionVariants"]}
    variants = []
    for variant in config["ProductionVariants"]:
        kept, before = dict(variant), running.get(variant["VariantName"])
        if before and "DesiredWeight" not in excluded:
            kept["InitialVariantWeight"] = before["DesiredWeight"]
        if before and "DesiredInstanceCount" not in excluded and "DesiredInstanceCount" in before:
            kept["InitialInstanceCount"] = before["DesiredInstanceCount"]
        variants.append(kept)
    return {**config, "ProductionVariants": variants}


@sagemaker.operation("UpdateEndpointWeightsAndCapacities")
def update_endpoint_weights(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    with _endpoints.lock:
        endpoint = find(request["EndpointName"], caller)
        if endpoint["EndpointStatus"] != "InService":
            raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        wanted = {item["VariantName"]: item for item in request["DesiredWeightsAndCapacities"]}
        unknown = sorted(wanted.keys() - {variant["VariantName"] for variant in endpoint["ProductionVariants"]})
        if unknown:
            raise invalid(f"The variant name(s) {', '.join(unknown)} is/are not present within endpoint.")
        variants = []
        for variant in endpoint["ProductionVariants"]:
            change = wanted.get(variant["VariantName"], {})
            weight = change.get("DesiredWeight", variant["DesiredWeight"])
            count = change.get("DesiredInstanceCount", variant.get("DesiredInstanceCount"))
            variants.append(
                {
                    **variant,
                    "DesiredWeight": weight,
                    "CurrentWeight": weight,
                    **({"DesiredInstanceCount": count, "CurrentInstanceCount": count} if count else {}),
                }
            )
        endpoint["ProductionVariants"] = variants
        _set_status(endpoint, "InService")
    return {"EndpointArn": endpoint["EndpointArn"]}


@sagemaker.operation("DeleteEndpoint")
def delete_endpoint(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    with _endpoints.lock:
        endpoint = find(request["EndpointName"], caller)
        if endpoint["EndpointStatus"] in _CHANGING:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        _set_status(endpoint, "Deleting")
    _tell(endpoint, caller)
    identity.spawn(_delete, endpoint)
    return {}


@sagemaker.operation("DescribeEndpoint")
def describe_endpoint(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return {
        member: value for member, value in find(request["EndpointName"], caller).items() if not member.startswith("_")
    }


@sagemaker.operation("ListEndpoints")
def list_endpoints(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return listing.page("Endpoint", _endpoints.values(), request)


# --- what happens then -------------------------------------------------------------------------------------


def _create(endpoint: Record, config: Record, caller: Caller) -> None:
    time.sleep(TIMING.endpoint_creating)
    try:
        _deploy(endpoint, config, caller)
    except serving.DeploymentFailed as failure:
        endpoint["FailureReason"] = str(failure)[:1024]
        _set_status(endpoint, "Failed")
        _tell(endpoint, caller)


def _update(endpoint: Record, config: Record, caller: Caller) -> None:
    time.sleep(TIMING.endpoint_updating)
    try:
        _deploy(endpoint, config, caller)
    except serving.DeploymentFailed as failure:
        endpoint["FailureReason"] = str(failure)[:1024]
        _set_status(endpoint, "RollingBack")
        _tell(endpoint, caller)
        time.sleep(TIMING.endpoint_updating)
        _set_status(endpoint, "InService")
        _tell(endpoint, caller)


def _deploy(endpoint: Record, config: Record, caller: Caller) -> None:
    """Load a config's models and answer with them from now on."""
    try:
        variants = serving.load(config, caller, endpoint["EndpointArn"])
    except serving.DeploymentFailed:
        raise
    except Exception as error:  # nobody waits for this thread: the endpoint itself must say what went wrong
        _LOG.exception("endpoint %s", endpoint["EndpointName"])
        raise serving.DeploymentFailed(f"Internal error: {type(error).__name__}: {error}") from error
    before = _serve(endpoint, variants)
    endpoint.update(
        EndpointConfigName=config["EndpointConfigName"], _Config=config, ProductionVariants=_summaries(config, variants)
    )
    endpoint.pop("DataCaptureConfig", None)
    capture = config.get("DataCaptureConfig")
    if capture:
        enabled = capture.get("EnableCapture", True)
        endpoint["DataCaptureConfig"] = {
            "EnableCapture": enabled,
            "CaptureStatus": "Started" if enabled else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    _set_status(endpoint, "InService")
    _tell(endpoint, caller)
    serving.close(before)


def _serve(endpoint: Record, variants: list[serving.Variant]) -> list[serving.Variant]:
    """Answer with these variants from now on, or with none; those that answered until now."""
    endpoint_arn = endpoint["EndpointArn"]
    with _loading[endpoint_arn]:
        before = _deployed.pop(endpoint_arn, [])
        if variants:
            _deployed[endpoint_arn] = variants
    return before


def _summaries(config: Record, variants: list[serving.Variant]) -> list[dict[str, Any]]:
    moment = now()
    summaries = []
    for given, variant in zip(config["ProductionVariants"], variants, strict=True):
        weight = float(given.get("InitialVariantWeight", 1.0))
        summary: dict[str, Any] = {
            "VariantName": variant.name,
            "CurrentWeight": weight,
            "DesiredWeight": weight,
            "DeployedImages": [
                {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": moment}
                for image in variant.model.images
            ],
        }
        if "InitialInstanceCount" in given:
            summary["CurrentInstanceCount"] = summary["DesiredInstanceCount"] = given["InitialInstanceCount"]
        if "ServerlessConfig" in given:
            summary["CurrentServerlessConfig"] = summary["DesiredServerlessConfig"] = given["ServerlessConfig"]
        summaries.append(summary)
    return summaries


def _delete(endpoint: Record) -> None:
    time.sleep(TIMING.endpoint_deleting)
    serves = _serve(endpoint, [])
    _endpoints.pop(endpoint["EndpointName"], None)
    tags.forget(endpoint["EndpointArn"])
    serving.close(serves)


def _set_status(endpoint: Record, status: str) -> None:
    endpoint["EndpointStatus"] = status
    endpoint["LastModifiedTime"] = now()


_EVENT_STATUS = {"InService": "IN_SERVICE", "RollingBack": "ROLLING_BACK", "OutOfService": "OUT_OF_SERVICE"}


def _tell(endpoint: Record, caller: Caller) -> None:
    status = endpoint["EndpointStatus"]
    detail = {member: value for member, value in endpoint.items() if not member.startswith("_")}
    put_event(
        caller,
        "Endpoint",
        {
            **detail,
            "EndpointStatus": _EVENT_STATUS.get(status, status.upper()),
            "Tags": tags.of(endpoint["EndpointArn"]),
        },
        endpoint["EndpointArn"],
    )


@store.on_load
def _settle_what_changed() -> None:
    """After a restart: what was on its way is where it can be; what serves is loaded when it is asked."""
    for endpoint in list(_endpoints.values()):
        status = endpoint["EndpointStatus"]
        if status == "Creating":
            endpoint["FailureReason"] = CUT_OFF
            _set_status(endpoint, "Failed")
        elif status in ("Updating", "RollingBack"):
            endpoint.setdefault("FailureReason", CUT_OFF)
            _set_status(endpoint, "InService")
        elif status == "Deleting":
            _endpoints.pop(endpoint["EndpointName"], None)
            tags.forget(endpoint["EndpointArn"])
