# SPDX-License-Identifier: Apache-2.0
"""The schemas of model-card requests: SageMaker's own for the content, and what requests may say beside it.

Annotations are those of blueprints (blueprints/_parts/definitions.yaml), and one more:
    x-unused      why the value is not used: it is accepted, as the predecessor did, with a warning
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib.catalog import Schema

METRIC_TYPES = (
    "model_card_metric_schema",
    "clarify_bias",
    "clarify_explainability",
    "regression",
    "binary_classification",
    "multiclass_classification",
)
STATUSES = ("Draft", "PendingReview", "Approved", "Archived")

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelCard.html
_NAME_PATTERN = "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"
# that of kms_key_arn in blueprints/_parts/definitions.yaml
_KEY_PATTERN = "^arn:aws[a-z-]*:kms:[a-z]{2,4}(-[a-z]+)+-[0-9]+:[0-9]{12}:(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+)$"


def _name(title: str, description: str, example: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "string",
        "title": title,
        "description": description,
        "pattern": _NAME_PATTERN,
        "maxLength": 63,
        "examples": [example],
        "x-canonical": ["strip"],
        **more,
    }


_KEYS: Mapping[str, dict[str, Any]] = {
    "name": _name(
        "a model card name",
        "Name of the model card. At most 63 letters, digits, and hyphens between them.",
        "churn",
    ),
    "status": {"type": "string", "enum": list(STATUSES), "description": "Status of the model card."},
    "version": {
        "type": "integer",
        "minimum": 1,
        "description": "Version of the model card; the latest if absent.",
        "examples": [1],
    },
    "arn": {
        "type": "string",
        "description": "ARN of the model card. The name says the same, and is required.",
        "x-canonical": ["strip"],
    },
    "kms_key_arn": {
        "type": "string",
        "title": "the ARN of a KMS key or alias",
        "description": "ARN of a KMS key or alias that encrypts the content. By default, a key of SageMaker's own.",
        "pattern": _KEY_PATTERN,
        "maxLength": 2048,
        "examples": ["arn:aws:kms:us-east-1:111122223333:key/0d990263-018e-4e65-a703-eff731de951e"],
        "x-names": "key",
    },
    "created_by": {"description": "Who created the card.", "x-unused": "SageMaker records who calls it"},
    "last_modified_by": {"description": "Who changed the card.", "x-unused": "SageMaker records who calls it"},
    "all_versions": {
        "type": "boolean",
        "default": False,
        "description": "Whether the response lists all versions, in `versions`.",
    },
    "export_job_name": _name(
        "an export job name",
        "Name of the export job; made from the name of the card and the time if absent.",
        "churn-2026-01",
    ),
    "model_card_version": {
        "type": "integer",
        "minimum": 1,
        "description": "Version to export; the latest if absent.",
        "examples": [1],
    },
    "name_contains": _name("a part of a name", "Lists only cards with this text in their names.", "churn"),
}
_WRITTEN = ("name", "status", "version", "arn", "created_by", "last_modified_by")
OPERATIONS: Mapping[str, tuple[str, ...]] = {  # operation -> its keys; those that write have the content's, too
    "create_model_card": (*_WRITTEN, "kms_key_arn"),
    "update_model_card": _WRITTEN,
    "describe_model_card": ("name", "arn", "version", "all_versions"),
    "delete_model_card": ("name", "arn"),
    "export_model_card": ("name", "arn", "export_job_name", "model_card_version"),
    "list_model_cards": ("name_contains", "status"),
}
WRITING = ("create_model_card", "update_model_card")
# What a key means to one operation alone.
_DIFFERENT: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("create_model_card", "status"): {"default": "Draft"},
    ("create_model_card", "version"): {"x-unused": "SageMaker counts versions from 1"},
    ("update_model_card", "status"): {"description": "Status of the model card; it stays as it is if absent."},
    ("update_model_card", "version"): {"description": "Version that the update starts from; the latest if absent."},
    ("list_model_cards", "status"): {"description": "Lists only cards with this status."},
}


@functools.cache
def content() -> Schema:
    """SageMaker's schema of the content."""
    schema: Schema = json.loads(Path(__file__).with_name("content.schema.json").read_text("utf-8"))
    return schema


def sections() -> tuple[str, ...]:
    """The keys of the content, which are keys of a request, too."""
    return tuple(content()["properties"])


@functools.cache
def known_keys() -> frozenset[str]:
    """The keys of all operations."""
    return frozenset({*_KEYS, *sections()})


@functools.cache
def request(operation: str) -> Schema:
    """The schema of an operation's request, without references."""
    keys = {key: {**_KEYS[key], **_DIFFERENT.get((operation, key), {})} for key in OPERATIONS[operation]}
    parts = _request_content() if operation in WRITING else {}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["pipeline_type", "name"] if "name" in keys else ["pipeline_type"],
        "additionalProperties": False,
        "properties": {"pipeline_type": {"const": operation}, **keys, **parts},
    }


@functools.cache
def metric_groups() -> Schema:
    """The schema of an object with `metric_groups`, without references."""
    defs = content()["$defs"]
    groups = defs["evaluation"]["properties"]["metric_groups"]
    return {"type": "object", "properties": {"metric_groups": _inlined(groups, defs)}}


def _request_content() -> dict[str, Any]:
    """The sections as requests may write them: also in the predecessor's forms, and with what is looked up in AWS."""
    schema = copy.deepcopy(dict(content()))
    defs = schema["$defs"]
    for environment in ("inference_environment", "training_environment"):
        defs[environment] = _images_or(defs[environment])
    defs["objective_function"] = _flat_or_nested(defs["objective_function"])
    schema["properties"]["training_details"]["properties"] |= {
        "model_name": {
            "type": "string",
            "description": "Name of a SageMaker model; its training job fills in training_job_details.",
            "examples": ["churn-model"],
        },
        "training_job_name": {
            "type": "string",
            "description": "Name of a training job that fills in training_job_details.",
            "examples": ["churn-training-5b1e"],
        },
    }
    defs["evaluation"]["properties"] |= {
        "metric_file_s3_url": {
            "type": "string",
            "title": "the URI of an object in S3",
            "description": "URI of a file in the assets bucket with metrics, which are added to metric_groups.",
            "pattern": "^s3://[^/]+/.+$",
            "maxLength": 1024,
            "examples": ["s3://my-assets/churn/statistics.json"],
        },
        "metric_type": {
            "type": "string",
            "enum": list(METRIC_TYPES),
            "description": "Format of the file of metrics.",
        },
    }
    sections: dict[str, Any] = _inlined(schema["properties"], defs)
    return sections


def _inlined(schema: Any, defs: Mapping[str, Any]) -> Any:
    """A schema with its references replaced by what they refer to."""
    if isinstance(schema, list):
        return [_inlined(one, defs) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(defs[schema["$ref"].removeprefix("#/$defs/")], defs)
    return {key: _inlined(one, defs) for key, one in schema.items()}


def _images_or(environment: Schema) -> dict[str, Any]:
    """A list of images, or an object that has it."""
    images = environment["properties"]["container_image"]
    return {
        "description": f"{environment['description'].rstrip('.')}: a list of image URIs, or an object with one.",
        "if": {"type": "array"},
        "then": images,
        "else": environment,
    }


def _flat_or_nested(objective: Schema) -> dict[str, Any]:
    """The parts of the function beside `notes`, or in an object of their own as SageMaker has them."""
    function = objective["properties"]["function"]
    direction = function["properties"]["function"]
    return {
        **objective,
        "properties": {
            **function["properties"],
            "function": {"if": {"type": "object"}, "then": function, "else": direction},
            "notes": objective["properties"]["notes"],
        },
    }
