# SPDX-License-Identifier: Apache-2.0
"""Canonical body x schema -> the fields whose values only AWS can tell (`x-resolves`), and what each stands for.

model_from          a pipeline: the model of its last successful run
model_package_name  a model package group: its latest approved version; what is the ARN of a model package already is no
                    reference any more

provisioning/resolve.py looks them up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.catalog import Schema
from chalicelib.intake.request import Body

PIPELINE, MODEL_PACKAGE = "pipeline", "model_package"
_PACKAGE_ARN = re.compile(r"arn:[^:]+:sagemaker:[^:]+:[0-9]{12}:model-package/[^/]+(/[0-9]+)?")
_VERSION = re.compile(r"[^/:]+/[0-9]+")


@dataclass(frozen=True)
class Reference:
    """What a field refers to: a pipeline, or a group of model packages."""

    kind: str
    value: str

    @property
    def stands_for(self) -> str:
        """What it is resolved to, for messages."""
        if self.kind == PIPELINE:
            return f"the model of the last successful run of {self.value}"
        if is_version(self.value):
            return f"the version {self.value} of this account"
        return f"the latest approved version of the group {self.value}"


def unresolved(body: Body, schema: Schema) -> dict[str, Reference]:
    """The references in a canonical body, by field."""
    found = {}
    for name, field in schema["properties"].items():
        value = body.get(name)
        if "x-resolves" in field and isinstance(value, str) and not (field["x-resolves"] == name and is_package(value)):
            kind = MODEL_PACKAGE if field.get("x-names") == MODEL_PACKAGE else PIPELINE
            found[name] = Reference(kind, value)
    return found


def is_package(value: str) -> bool:
    """Whether a value is the ARN of a model package, with a version or without."""
    return _PACKAGE_ARN.fullmatch(value) is not None


def is_version(value: str) -> bool:
    """Whether a value is a group's name and a version, `churn/3`."""
    return _VERSION.fullmatch(value) is not None


def short(value: str) -> str:
    """A model package or group without the rest of its ARN: `churn/3`."""
    return value.partition("/")[2] if value.startswith("arn:") else value
