# SPDX-License-Identifier: Apache-2.0
"""The packaged orchestrator as API Gateway calls it, and the functions it is compared with (see functions/)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops.defaults import PIPELINE_PREFIX, STACK_NAME
from mlops.local.settings import ACCOUNT_ID
from mlops.source_tree import ROOT

from tools.bench.runtime import Function, Package

OURS, BARE, EMPTY = "app.app", "bare.handler", "empty.handler"
USAGE = "usage"  # the event that a function answers with what its process has used
CALLER = f"arn:aws:iam::{ACCOUNT_ID}:user/bench"
EXAMPLE: dict[str, Any] = json.loads(
    (ROOT / "blueprints/model_training/examples/model_training_builtin.json").read_text("utf-8")
)
WRONG = {**EXAMPLE, "instance_type": "m5.large", "training_data": "s3://data/train.csv", "instance_volume": 20}
_ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/a-role"
ENVIRONMENT = {
    "PIPELINE_STACK_NAME": PIPELINE_PREFIX,
    "ORCHESTRATOR_STACK": STACK_NAME,
    "ASSETS_BUCKET": "assets",
    "ASSETS_BUCKET_KMS_KEY_ARN": "",
    "BUNDLE_BUCKET": "bundles",
    "DATA_BUCKETS": "",
    "IMAGE_ACCOUNTS": "",
    "KEY_ACCOUNTS": "",
    "BLUEPRINT_BUCKET": "distribution",
    "BLUEPRINT_PREFIX": "mlops-orchestrator/v0",
    "ARTIFACT_BUCKET": "artifacts",
    "CFN_ROLE_ARN": _ROLE,
    "PIPELINE_ROLE_ARN": _ROLE,
    "PERMISSIONS_BOUNDARY_ARN": f"arn:aws:iam::{ACCOUNT_ID}:policy/a-boundary",
    "MLOPS_NOTIFICATIONS_SNS_TOPIC": f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:a-topic",
    "IS_MULTI_ACCOUNT": "False",
    "USE_MODEL_REGISTRY": "No",
    "ALLOW_DETAILED_ERROR_MESSAGE": "Yes",
    "LOG_LEVEL": "INFO",
    "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
    "AWS_SECRET_ACCESS_KEY": "secret",
}


def start(package: Package, handler: str, address: str, environment: Mapping[str, str] = ENVIRONMENT) -> Function:
    """A function in a fresh process, for which AWS is at this address, and that answers USAGE."""
    whole = {**environment, "AWS_ENDPOINT_URL": f"http://{address}", "MEASURED_HANDLER": handler}
    return Function(package, "measured.handler", whole, [Path(__file__).parent / "functions"])


def through(line: str) -> dict[str, str]:
    """The environment of a function whose calls go over a line.

    They go as to a proxy, for the account answers to its own name only.
    """
    return {"http_proxy": f"http://{line}"}


def event(body: Mapping[str, Any] | str, route: str = "provisionpipeline") -> dict[str, Any]:
    """A POST as API Gateway hands it to a function."""
    return {
        "httpMethod": "POST",
        "path": f"/{route}",
        "resource": f"/{route}",
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": f"/{route}",
            "httpMethod": "POST",
            "requestId": "a-request",
            "identity": {"userArn": CALLER},
        },
        "body": body if isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def reading(resource: str, name: str | None = None, method: str = "GET", **query: str) -> dict[str, Any]:
    """A request without a body to a resource (`pipelines/{name}/runs`), as API Gateway hands it to a function."""
    whole = event("", resource)
    context = {**whole["requestContext"], "httpMethod": method}
    return {
        **whole,
        "httpMethod": method,
        "pathParameters": {"name": name} if name else None,
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {key: [value] for key, value in query.items()} or None,
        "requestContext": context,
        "body": None,
    }
