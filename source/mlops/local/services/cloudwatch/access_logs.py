# SPDX-License-Identifier: Apache-2.0
"""Access logs of REST APIs: one line in a stage's log group for each request, in the format that the stage has.

What a request has no value for is `-`, as in API Gateway's own logs.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any

from mlops.local.ministack import cloudformation, cloudwatch, context
from mlops.local.ministack.cloudwatch import Access

_VARIABLE = re.compile(r"\$context\.([A-Za-z][\w.\-]*[\w])|\$context\.([A-Za-z])\b")


def install() -> None:
    cloudformation.after_changes("AWS::ApiGateway::Stage", _keep_settings)
    cloudwatch.after_access(_log)


def _keep_settings(stage_name: str, properties: dict[str, Any]) -> None:
    given = properties.get("AccessLogSetting") or {}
    settings = {"destinationArn": given.get("DestinationArn", ""), "format": given.get("Format", "")}
    cloudwatch.set_access_log(properties["RestApiId"], stage_name, settings if given else {})


def _log(access: Access, stage: dict[str, Any]) -> None:
    settings = stage.get("accessLogSettings") or {}
    destination, form = settings.get("destinationArn", ""), settings.get("format", "")
    if ":log-group:" not in destination or not form:
        return
    group = destination.split(":log-group:", 1)[1].removesuffix(":*")
    stream = hashlib.md5(f"{access.api_id}/{access.stage}".encode(), usedforsecurity=False).hexdigest()
    cloudwatch.write_log(group, stream, int(access.started * 1000), line(form, access))


def line(form: str, access: Access) -> str:
    """A format with the values of one request."""
    values = _values(access)
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], "-") or "-", form)


def _values(access: Access) -> dict[str, str]:
    moment = datetime.fromtimestamp(access.started, UTC)
    account_id = context.current_scope()[0]
    error = _error(access)
    return {
        "accountId": account_id,
        "apiId": access.api_id,
        "stage": access.stage,
        "requestId": access.request_id,
        "extendedRequestId": access.request_id,
        "requestTime": f"{moment:%d/%b/%Y:%H:%M:%S +0000}",
        "requestTimeEpoch": str(int(access.started * 1000)),
        "httpMethod": access.method,
        "path": f"/{access.stage}{access.path}",
        "resourcePath": access.path,
        "protocol": "HTTP/1.1",
        "domainName": access.headers.get("host", ""),
        "status": str(access.status),
        "responseLength": str(len(access.answer)),
        "responseLatency": str(int(access.seconds * 1000)),
        "identity.sourceIp": "127.0.0.1",
        "identity.userAgent": access.headers.get("user-agent", ""),
        "identity.userArn": access.caller,
        "identity.user": access.caller,
        "identity.caller": access.caller,
        "identity.accountId": account_id if access.caller else "",
        "error.message": error,
        "error.messageString": json.dumps(error) if error else "",
        "error.responseType": access.answer_headers.get(
            "x-amzn-ErrorType", access.answer_headers.get("x-amzn-errortype", "")
        ),
    }


def _error(access: Access) -> str:
    """What API Gateway itself said; what an integration answered is not its error."""
    if access.status < 400 or not any(name.lower() == "x-amzn-errortype" for name in access.answer_headers):
        return ""
    try:
        content = json.loads(access.answer)
    except ValueError:
        return ""
    return str(content.get("message", "")) if isinstance(content, dict) else ""
