# SPDX-License-Identifier: Apache-2.0
"""Data capture: what went in and out of an endpoint, as JSON lines in S3.

Records are written a moment after the answer, by one thread, with the model's execution role, to
`<destination>/<endpoint>/<variant>/yyyy/mm/dd/hh/<mm-ss-ms-uuid>.jsonl`.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import context
from mlops.local.services.sagemaker import storage
from mlops.local.services.sagemaker.service import PRINCIPAL
from mlops.local.state.outbox import Outbox

_LOG = logging.getLogger(__name__)
_GATHER = 0.3  # seconds in which requests are gathered into one file
_CLIENTS = 10  # kept, each for a role


@dataclass(frozen=True)
class Payload:
    body: bytes
    content_type: str


@dataclass(frozen=True)
class _Destination:
    caller: Caller
    role_arn: str
    prefix: str
    kms_key: str | None
    hour: str


def capture(
    config: dict[str, Any] | None,
    caller: Caller,
    endpoint_name: str,
    variant_name: str,
    role_arn: str,
    request: dict[str, Any],
    given: Payload,
    answered: Payload,
) -> None:
    """Keep one request and its answer, if the endpoint's config says so and the dice do."""
    if not config or not config.get("EnableCapture", True):
        return
    if random.uniform(0, 100) >= config["InitialSamplingPercentage"]:  # noqa: S311  sampling, not secrecy
        return
    moment = datetime.now(UTC)
    line = json.dumps(_record(config, request, given, answered, moment), separators=(",", ":"))
    prefix = f"{config['DestinationS3Uri'].rstrip('/')}/{endpoint_name}/{variant_name}"
    destination = _Destination(caller, role_arn, prefix, config.get("KmsKeyId"), f"{moment:%Y/%m/%d/%H}")
    _outbox.put((destination, line))


def _record(
    config: dict[str, Any], request: dict[str, Any], given: Payload, answered: Payload, moment: datetime
) -> dict[str, Any]:
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    headers = config.get("CaptureContentTypeHeader", {})
    data = {}
    if modes & {"Input", "InputAndOutput"}:
        data["endpointInput"] = _observed(given, "INPUT", headers)
    if modes & {"Output", "InputAndOutput"}:
        data["endpointOutput"] = _observed(answered, "OUTPUT", headers)
    metadata: dict[str, Any] = {"eventId": str(uuid.uuid4())}
    if request.get("CustomAttributes"):
        metadata["customAttributes"] = [request["CustomAttributes"]]
    if request.get("InferenceId"):
        metadata["inferenceId"] = request["InferenceId"]
    metadata["inferenceTime"] = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}


def _observed(payload: Payload, mode: str, headers: dict[str, list[str]]) -> dict[str, str]:
    """The data as text where the content type is one of those configured as text, else in base64."""
    media_type = payload.content_type.split(";")[0].strip().lower()
    encoding = "BASE64"
    for member, name in (("CsvContentTypes", "CSV"), ("JsonContentTypes", "JSON")):
        if media_type in (listed.lower() for listed in headers.get(member, [])):
            encoding = name
    data = base64.b64encode(payload.body).decode() if encoding == "BASE64" else payload.body.decode(errors="replace")
    return {"observedContentType": payload.content_type, "mode": mode, "data": data, "encoding": encoding}


# --- writing -----------------------------------------------------------------------------------------------

_clients: dict[tuple[Caller, str], Any] = {}


def _write_all(gathered: list[tuple[_Destination, str]]) -> None:
    batch: dict[_Destination, list[str]] = defaultdict(list)
    for destination, line in gathered:
        batch[destination].append(line)
    for destination, lines in batch.items():
        _write(destination, lines)
    while len(_clients) > _CLIENTS:
        del _clients[next(iter(_clients))]


def _write(destination: _Destination, lines: list[str]) -> None:
    caller, role_arn = destination.caller, destination.role_arn
    name = f"{datetime.now(UTC):%M-%S-%f}"[:-3] + f"-{uuid.uuid4()}.jsonl"
    uri = f"{destination.prefix}/{destination.hour}/{name}"
    try:
        with context.scope(caller.account_id, caller.region):
            storage.check_key(role_arn, destination.kms_key, caller)
            if (caller, role_arn) not in _clients:
                _clients[caller, role_arn] = identity.role_session(role_arn, PRINCIPAL, caller).client("s3")
            storage.write(
                _clients[caller, role_arn], uri, "".join(line + "\n" for line in lines).encode(), destination.kms_key
            )
    except (ClientError, BotoCoreError, ApiError) as error:
        _clients.pop((caller, role_arn), None)
        _LOG.warning("data capture to %s failed: %s", uri, error)


_outbox = Outbox("data-capture", _GATHER, _write_all)
