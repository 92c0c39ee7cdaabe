# SPDX-License-Identifier: Apache-2.0
"""Pipeline types that are operations: they act at once, and no pipeline comes of them.

A module of operations is imported when one of them is asked for. It has two functions:

    check(operation, body, settings, deployed)  ->  a checked request, with its `warnings`; raises BadRequest
    run(checked, settings, aws)                 ->  the response's document, with all warnings
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from chalicelib.errors import Problem

if TYPE_CHECKING:
    from chalicelib.aws.calls import Calls
    from chalicelib.intake.request import Body
    from chalicelib.settings import Settings

_MODEL_CARDS = "chalicelib.model_cards.operations"
_MODULES: Mapping[str, str] = {
    "create_model_card": _MODEL_CARDS,
    "delete_model_card": _MODEL_CARDS,
    "describe_model_card": _MODEL_CARDS,
    "export_model_card": _MODEL_CARDS,
    "list_model_cards": _MODEL_CARDS,
    "update_model_card": _MODEL_CARDS,
}
NAMES = frozenset(_MODULES)


class Checked(Protocol):
    """A checked request of an operation."""

    @property
    def subject(self) -> str:
        """What the operation is about, for people."""

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Problems that do not prevent the operation."""


class Module(Protocol):
    """A module of operations."""

    def check(self, operation: str, body: Body, settings: Settings, deployed: bool) -> Checked: ...

    def run(self, checked: Any, settings: Settings, aws: Calls) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Operation:
    """One operation, by its pipeline type."""

    name: str

    @property
    def _module(self) -> Module:
        return cast("Module", importlib.import_module(_MODULES[self.name]))

    def check(self, body: Body, settings: Settings, *, deployed: bool = True) -> Checked:
        """Check a parsed body. Without a deployment (`deployed` is false), what requests may name is not checked.

        Raises BadRequest with every problem.
        """
        return self._module.check(self.name, body, settings, deployed)

    def run(self, body: Body, settings: Settings, aws: Calls) -> dict[str, Any]:
        """Check a parsed body and carry the operation out; returns the response's document."""
        return self._module.run(self.check(body, settings), settings, aws)


def find(pipeline_type: object) -> Operation | None:
    """The operation of a pipeline type; None where the type is none."""
    return Operation(pipeline_type) if isinstance(pipeline_type, str) and pipeline_type in NAMES else None
