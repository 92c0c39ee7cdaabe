# SPDX-License-Identifier: Apache-2.0
"""Other requests for the pipeline of an example, whatever its blueprint: each with one field changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from chalicelib.catalog import Blueprint, Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import check_request
from chalicelib.planning import plan
from chalicelib.planning.plan import Plan
from chalicelib.settings import Settings


@dataclass(frozen=True)
class Make:
    """Makes the plan of an example, with changes."""

    body: dict[str, Any]
    catalog: Catalog
    settings: Settings

    def __call__(self, **changes: Any) -> Plan:
        raw = json.dumps({**self.body, **changes}).encode()
        return plan.make(check_request(raw, self.catalog, self.settings), self.settings, self.catalog)

    def changed(self, number: int = 0) -> Plan:
        """The plan of another request for the same pipeline, one that may follow this one."""
        if len(self._others) <= number:
            pytest.skip(f"there are only {len(self._others)} other requests for this pipeline")
        return self._others[number]

    def immutables(self) -> Iterator[tuple[str, Plan, Plan]]:
        """For each parameter that may not change: its name, and two plans that differ in it."""
        for parameter in self.blueprint.immutable:
            field = self.blueprint.parameters[parameter].get("from", "").removeprefix("/")
            if len(found := self._variants([field])) > 1:
                yield parameter, found[0], found[1]

    def belonging(self) -> Iterator[tuple[str, Plan, Plan]]:
        """For each field that a pipeline belongs to: its name, and two plans for one name that differ in it."""
        for pointer in self.blueprint.belongs_to:
            if found := self._variants([pointer.removeprefix("/")]):
                yield pointer.removeprefix("/"), self(), found[0]

    @property
    def blueprint(self) -> Blueprint:
        return self.catalog.find(self.body["pipeline_type"])

    @cached_property
    def _others(self) -> list[Plan]:
        sources = self.blueprint.parameters
        kept = {sources[name].get("from", "").removeprefix("/") for name in self.blueprint.immutable}
        kept |= {"pipeline_type", "rerun", self.blueprint.identity.removeprefix("/")}
        kept |= {pointer.removeprefix("/") for pointer in self.blueprint.belongs_to}
        return self._variants([name for name in self._properties() if name not in kept])

    def _variants(self, fields: list[str]) -> list[Plan]:
        """Plans that differ from the example's in one of these fields, each another request for its pipeline."""
        own = self()
        found: dict[str, Plan] = {}
        for name in fields:
            for value in _candidates(self._properties()[name], self.body.get(name)):
                try:
                    other = self(**{name: value})
                except BadRequest:
                    continue
                if other.name == own.name and other.digest != own.digest:
                    found[other.digest] = other
        return list(found.values())

    def _properties(self) -> dict[str, Any]:
        _, schema = self.blueprint.schema(self.body["pipeline_type"], self.settings.use_model_registry)
        properties: dict[str, Any] = schema["properties"]
        return properties


def _candidates(field: dict[str, Any], now: Any) -> list[Any]:
    """Values that a field may take instead of the one it has."""
    now = field.get("default") if now is None else now
    candidates = [*field.get("enum", [])[:4], *field.get("examples", [])]
    match field.get("type"):
        case "boolean":
            candidates += [not now]
        case "integer":
            candidates += [(now or 0) + 1, (now or 0) - 1, field.get("minimum"), field.get("maximum")]
        case "string":
            texts = [one for one in (now, *field.get("examples", [])) if one]
            candidates += [f"{one}{end}" for one in texts for end in ("2", "x")]
            candidates += [f"{one[:-1]}{end}" for one in texts for end in ("0", "1", "a", "b")]
            candidates += [f"{beginning}{one}" for one in texts for beginning in ("2", "x")]
    return [one for one in candidates if one is not None and one != now]
