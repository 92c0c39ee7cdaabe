# SPDX-License-Identifier: Apache-2.0
"""Canonical body x schema -> what must be so in AWS before a request is carried out (`x-precondition`), as data.

Only AWS knows whether it is. A plan lists its preconditions; provisioning/preconditions.py checks them before it writes
anything, and `mlops validate` prints them.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.catalog import Schema
from chalicelib.intake.request import Body

APPROVED_MODEL_PACKAGE = "approved_model_package"
KINDS = {APPROVED_MODEL_PACKAGE: "the model package is approved"}


@dataclass(frozen=True)
class Precondition:
    """One precondition: the field it comes from, what is required, and of which resource."""

    path: str
    requires: str  # one of KINDS
    resource: str  # as the request names it; once resolved, its ARN

    def document(self) -> dict[str, str]:
        """For `mlops validate`."""
        return {
            "path": self.path,
            "requires": self.requires,
            "resource": self.resource,
            "description": KINDS[self.requires],
        }


def of(body: Body, schema: Schema) -> tuple[Precondition, ...]:
    """The preconditions of a canonical body that fits its schema."""
    return tuple(
        Precondition(f"/{name}", field["x-precondition"], str(body[name]))
        for name, field in schema["properties"].items()
        if "x-precondition" in field and name in body
    )
