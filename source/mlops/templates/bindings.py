# SPDX-License-Identifier: Apache-2.0
"""Binds the names that a template refers to and does not declare: parameters and conditions.

A parameter comes from, in this order: the blueprint's manifest, `_parts/parameters.yaml`, the request field of the same
name (`InstanceType` from /instance_type). A condition comes from the template, or from `_parts/conditions.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from mlops.templates import references
from mlops.templates.cfn_yaml import Template
from mlops.templates.folder import Parts

Sources = dict[str, dict[str, Any]]


def bind(template: Template, declared: Sources, fields: Collection[str], parts: Parts) -> tuple[Template, Sources]:
    """The template with the shared conditions it refers to, and the source of each of its parameters."""
    conditions = dict(template.get("Conditions", {}))
    sources = dict(declared)
    while True:
        bound = {**template, "Conditions": conditions, "Parameters": {**sources, **template.get("Parameters", {})}}
        lost = references.lost(bound)
        taken = {name: parts.conditions[name] for use, name in lost if use == "Condition" and name in parts.conditions}
        found = {name: source for use, name in lost if use == "Ref" and (source := _source(name, fields, parts))}
        if not taken and not found:
            break
        conditions |= dict(sorted(taken.items()))
        sources |= dict(sorted(found.items()))
    return ({**template, "Conditions": conditions} if conditions else template), sources


def field_of(parameter: str) -> str:
    """The request field that a parameter is named after: InstanceType -> instance_type, S3DataType -> s3_data_type."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", parameter).lower()


def _source(name: str, fields: Collection[str], parts: Parts) -> dict[str, Any] | None:
    if name in parts.parameters:
        return dict(parts.parameters[name])
    field = field_of(name)
    return {"from": f"/{field}"} if field in fields else None
