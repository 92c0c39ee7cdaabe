# SPDX-License-Identifier: Apache-2.0
"""The sections of a request -> the content of a card, as SageMaker's schema has it. Pure.

An update is a JSON Merge Patch (RFC 7396): objects are merged key by key, null removes a key, and everything else,
lists too, replaces what was there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.errors import BadRequest, Code, Problem

Content = dict[str, Any]

LONGEST = 100_000  # characters: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelCard.html
_LOOKED_UP = {
    "training_details": ("model_name", "training_job_name"),
    "evaluation": ("metric_file_s3_url", "metric_type"),
}


def plain(sections: Mapping[str, Any]) -> Content:
    """The sections in SageMaker's form, without what is looked up in AWS."""
    content = {key: value for key, value in sections.items() if value != {}}
    if isinstance(overview := content.get("model_overview"), Mapping):
        content["model_overview"] = _with_environment(overview, "inference_environment")
    if isinstance(training := content.get("training_details"), Mapping):
        content["training_details"] = _training(training)
    if evaluations := content.get("evaluation_details"):
        content["evaluation_details"] = [_without(one, _LOOKED_UP["evaluation"]) for one in evaluations]
    return content


def merged(content: Any, patch: Any) -> Any:
    """A content with a patch applied."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(content) if isinstance(content, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def text(content: Content) -> str:
    """The content as SageMaker takes it. Raises BadRequest if it is too long."""
    found = json.dumps(content, separators=(",", ":"))
    if len(found) > LONGEST:
        problem = Problem("", Code.TOO_LONG, f"the content has {len(found):,} characters", f"at most {LONGEST:,}")
        raise BadRequest("The content of the model card is too long", [problem])
    return found


def _training(training: Mapping[str, Any]) -> Content:
    found = _without(training, _LOOKED_UP["training_details"])
    if isinstance(objective := found.get("objective_function"), Mapping):
        found["objective_function"] = _nested(objective)
    if isinstance(job := found.get("training_job_details"), Mapping):
        found["training_job_details"] = _with_environment(job, "training_environment")
    return found


def _nested(objective: Mapping[str, Any]) -> Content:
    """The predecessor's flat objective function in SageMaker's form."""
    if isinstance(objective.get("function"), Mapping):
        return dict(objective)
    function = {key: objective[key] for key in ("function", "facet", "condition") if key in objective}
    notes = {"notes": objective["notes"]} if "notes" in objective else {}
    return {**({"function": function} if function else {}), **notes}


def _with_environment(section: Mapping[str, Any], key: str) -> Content:
    images = section.get(key)
    return {**section, key: {"container_image": images}} if isinstance(images, list) else dict(section)


def _without(section: Mapping[str, Any], keys: tuple[str, ...]) -> Content:
    return {key: value for key, value in section.items() if key not in keys}
