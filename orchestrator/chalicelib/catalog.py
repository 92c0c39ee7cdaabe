# SPDX-License-Identifier: Apache-2.0
"""The blueprints that this build ships, compiled from their folders; each is read when it is first needed."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from chalicelib import operations
from chalicelib.errors import BadRequest, Code, Problem
from chalicelib.nearest import similar
from chalicelib.quoting import shown

Schema = Mapping[str, Any]

ANY = "any"  # the variant of a type that has one schema, wherever models come from
ARTIFACT, REGISTRY = "artifact", "registry"  # the variants of other types


@dataclass(frozen=True)
class Blueprint:
    """One blueprint: what its requests look like, and how they become the parameters of its template."""

    name: str
    summary: str
    identity: str  # pointer to the field that names a pipeline
    delivery: str  # staged, home or own, see delivery.py
    run: bool  # has a state machine that the delivery pipeline runs
    immutable: tuple[str, ...]  # parameters whose change would replace something live
    belongs_to: tuple[str, ...]  # pointers to the fields with which a pipeline keeps its name
    rules: tuple[Mapping[str, Any], ...]  # over two fields, see intake/rules.py
    parameters: Mapping[str, Mapping[str, Any]]  # template parameter -> where its value comes from
    pipeline_types: Mapping[str, Mapping[str, Any]]
    keys: frozenset[str]
    template: str

    def schema(self, pipeline_type: str, registry: bool) -> tuple[str, Schema]:
        """A type's schema and the name of its variant, by whether models come from the registry."""
        schemas: Mapping[str, Schema] = self.pipeline_types[pipeline_type]["schemas"]
        variant = ANY if ANY in schemas else REGISTRY if registry else ARTIFACT
        return variant, schemas[variant]

    def own_keys(self, pipeline_type: str, variant: str) -> frozenset[str]:
        """The keys that only this variant of a type has, in every spelling."""
        schemas: Mapping[str, Schema] = self.pipeline_types[pipeline_type]["schemas"]
        others = {key for name, one in schemas.items() if name != variant for key in one["properties"]}
        own = schemas.get(variant, {}).get("properties", {})
        return frozenset(
            spelt for key, one in own.items() if key not in others for spelt in (key, *one.get("x-aliases", ()))
        )

    def takes_package(self, pipeline_type: str, given: Collection[str]) -> bool:
        """Whether a request with these keys takes its model from the registry, whatever the deployment does."""
        return not self.own_keys(pipeline_type, REGISTRY).isdisjoint(given)


class Catalog:
    """The blueprints in one folder, looked up by pipeline type."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        index = json.loads((folder / "index.json").read_text("utf-8"))
        self.pipeline_types: dict[str, str] = index["pipeline_types"]
        self.keys = frozenset(index["keys"])  # of every type here, and of the predecessor's

    @functools.cache  # noqa: B019 (a catalog lives as long as its process)
    def blueprint(self, name: str) -> Blueprint:
        """A blueprint by its folder's name."""
        entry = json.loads((self._folder / f"{name}.json").read_text("utf-8"))
        fields = entry.pop("fields")
        return Blueprint(
            **{
                **entry,
                "pipeline_types": {
                    name: {**one, "schemas": {key: _whole(name, part, fields) for key, part in one["schemas"].items()}}
                    for name, one in entry["pipeline_types"].items()
                },
                "keys": frozenset(entry["keys"]),
                "immutable": tuple(entry["immutable"]),
                "belongs_to": tuple(entry["belongs_to"]),
                "rules": tuple(entry["rules"]),
                "template": (self._folder / f"{name}.yaml").read_text("utf-8"),
            }
        )

    def find(self, pipeline_type: object) -> Blueprint:
        """The blueprint of a pipeline type; raises BadRequest with the nearest type."""
        if isinstance(pipeline_type, str) and pipeline_type in self.pipeline_types:
            return self.blueprint(self.pipeline_types[pipeline_type])
        known = sorted({*self.pipeline_types, *operations.NAMES})
        listed = f"one of {', '.join(known)}"
        if pipeline_type in (None, ""):
            problem = Problem("/pipeline_type", Code.MISSING, "is missing", listed)
        elif not isinstance(pipeline_type, str):
            problem = Problem("/pipeline_type", Code.WRONG_TYPE, f"is {shown(pipeline_type)}, not a string", listed)
        else:
            near = similar(pipeline_type, known)
            hint = f"did you mean {near!r}?" if near else listed
            words = f"{shown(pipeline_type)} is not a pipeline type of this deployment"
            problem = Problem("/pipeline_type", Code.NOT_ALLOWED_VALUE, words, hint)
        raise BadRequest("Invalid pipeline type", [problem])

    def validator(self, pipeline_type: str, variant: str) -> Callable[[Any], Any]:
        """The generated check of one schema: returns, or raises validate.Mismatch."""
        check: Callable[[Any], Any] = getattr(
            self._validators(self.pipeline_types[pipeline_type]), f"validate_{pipeline_type}__{variant}"
        )
        return check

    @functools.cache  # noqa: B019
    def _validators(self, blueprint: str) -> ModuleType:
        path = self._folder / "validators" / f"{blueprint}.py"
        spec = importlib.util.spec_from_file_location(f"chalicelib.validators.{blueprint}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    @functools.cache  # noqa: B019
    def delivery(self, name: str) -> tuple[str, str]:
        """A delivery template (single or staged) and its digest."""
        text = (self._folder / "delivery" / f"{name}.yaml").read_text("utf-8")
        return text, hashlib.sha256(text.encode()).hexdigest()[:16]


def _whole(pipeline_type: str, schema: Schema, fields: Mapping[str, Schema]) -> Schema:
    """A type's schema, of which the catalog has the names of its fields: types share what the fields are."""
    named = {name: fields[name] for name in schema["properties"]}
    return {**schema, "properties": {"pipeline_type": {"const": pipeline_type}, **named}}
