# SPDX-License-Identifier: Apache-2.0
"""SageMaker Runtime: asks an endpoint, and captures what was asked and answered."""

from __future__ import annotations

import random
import time
from typing import Any

from mlops.local.containers import InferenceError
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.sagemaker import data_capture, endpoints, reports, serving
from mlops.local.services.sagemaker.logs import ENDPOINTS
from mlops.local.services.sagemaker.service import runtime

_NOT_HERE = ("TargetModel", "InferenceComponentName", "SessionId", "EnableExplanations")


def _refuse(message: str) -> ApiError:
    return ApiError("ValidationError", message)


@runtime.operation("InvokeEndpoint")
def invoke_endpoint(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = request["EndpointName"]
    for member in _NOT_HERE:
        if request.get(member):
            raise _refuse(f"{member} is not supported by endpoint {name}: the laptop account does not support it.")
    began = time.monotonic()
    body = request.get("Body", b"")
    content_type = request.get("ContentType", "")
    answer = None
    while answer is None:
        variant = _choose(name, request.get("TargetVariant"), caller)
        endpoint = endpoints.find(name, caller)
        asked = time.monotonic()
        try:
            answer = variant.model.invoke(body, content_type, request.get("Accept", ""))
        except serving.Closed:
            continue  # the endpoint was updated or deleted just now
        except InferenceError as error:
            _report(variant, endpoint, began, asked, error.status, len(error.message), error.message)
            raise _model_error(error, endpoint, caller) from error
    _report(variant, endpoint, began, asked, 200, len(answer.body))
    data_capture.capture(
        endpoint["_Config"].get("DataCaptureConfig"),
        caller,
        name,
        variant.name,
        variant.role_arn,
        request,
        data_capture.Payload(body, content_type or "text/csv"),
        data_capture.Payload(answer.body, answer.content_type),
    )
    return {
        "Body": answer.body,
        "ContentType": answer.content_type,
        "InvokedProductionVariant": variant.name,
        **({"CustomAttributes": request["CustomAttributes"]} if request.get("CustomAttributes") else {}),
    }


def _report(
    variant: serving.Variant,
    endpoint: dict[str, Any],
    began: float,
    asked: float,
    status: int,
    size: int,
    problem: str = "",
) -> None:
    now = time.monotonic()
    instances = next(
        (
            summary.get("CurrentInstanceCount", 1)
            for summary in endpoint["ProductionVariants"]
            if summary["VariantName"] == variant.name
        ),
        1,
    )
    reports.invoked(variant.source, reports.Invocation(status, size, now - asked, now - began, instances, problem))


def _choose(name: str, target: str | None, caller: Caller) -> serving.Variant:
    try:
        variants = endpoints.serving_variants(name, caller)
    except serving.DeploymentFailed as failure:  # its model went away while the account was stopped
        raise ApiError("ServiceUnavailable", str(failure), 503) from failure
    if not variants:
        raise _refuse(f"Endpoint {name} of account {caller.account_id} not found.")
    if target:
        chosen = next((variant for variant in variants if variant.name == target), None)
        if chosen is None:
            raise _refuse(f"Variant {target} not found for endpoint {name} of account {caller.account_id}.")
        return chosen
    summaries = endpoints.find(name, caller)["ProductionVariants"]
    weights = {summary["VariantName"]: summary["CurrentWeight"] for summary in summaries}
    return random.choices(variants, [weights[variant.name] for variant in variants])[0]  # noqa: S311  traffic


def _model_error(error: InferenceError, endpoint: dict[str, Any], caller: Caller) -> ApiError:
    name, region = endpoint["EndpointName"], caller.region
    group = f"{ENDPOINTS}{name}"
    kind = "client" if 400 <= error.status < 500 else "server"  # 0: the container did not answer in time
    return ApiError(
        "ModelError",
        f'Received {kind} error ({error.status}) from primary with message "{error.message}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group} in "
        f"account {caller.account_id} for more information.",
        424,
        OriginalStatusCode=error.status,
        OriginalMessage=error.message,
        LogStreamArn=f"arn:aws:logs:{region}:{caller.account_id}:log-group:{group}",
    )
