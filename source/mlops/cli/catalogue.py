# SPDX-License-Identifier: Apache-2.0
"""The pipeline types of this source tree and the fields of their requests, read from the compiled blueprints.

In: the blueprint folders. Out: PipelineType and Field, plain data that `types`, `explain` and `init` print.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.catalog import ANY, Blueprint, Catalog
from chalicelib.images import uris

from mlops.cli.failures import Document
from mlops.source_tree import BLUEPRINTS
from mlops.templates import compile_catalog

DELIVERY = {
    "home": "single account",
    "staged": "single account, multi-account planned",
    "own": "a pipeline of its own, single account",
}
MODELS = {
    "artifact": "the deployment does not use the model registry, and the request has no model_package_name",
    "registry": "the deployment uses the model registry",
}
SCOPES: Mapping[str, uris.Scope] = {"training_image": "training", "inference_image": "inference"}
NO_DEFAULT: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Field:
    """A field of a request and its allowed values."""

    name: str
    schema: Mapping[str, Any]
    variants: Mapping[str, bool]  # the type's variants that have this field -> whether they require it
    required: bool  # in every variant
    conditions: tuple[str, ...]  # when the schema requires it, where it does not always
    rules: tuple[str, ...]
    allowed: tuple[Any, ...]
    versions: Mapping[str, list[str]]  # of a framework's version: what each framework has

    @property
    def required_when(self) -> list[str]:
        """The conditions under which an otherwise optional field is required."""
        if self.required:
            return []
        return [MODELS.get(name, name) for name, requires in self.variants.items() if requires] + list(self.conditions)

    @property
    def type(self) -> str:
        return str(self.schema.get("type", "any"))

    @property
    def keys(self) -> list[Field]:
        """The keys of an object that describes them."""
        required = self.schema.get("required", ())
        return [
            Field(name, one, {}, name in required, (), (), tuple(one.get("enum", ())), {})
            for name, one in self.schema.get("properties", {}).items()
        ]

    @property
    def description(self) -> str:
        return str(self.schema.get("description", ""))

    @property
    def default(self) -> Any:
        value = self.schema.get("default")
        return None if value in NO_DEFAULT else value

    @property
    def example(self) -> Any:
        examples = self.schema.get("examples") or [value for value in self.allowed if value != ""]
        return examples[0] if examples else self.default

    def document(self) -> Document:
        """The field for --json; what does not apply is absent."""
        limits = ("minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems")
        found = {
            "name": self.name,
            "description": self.description,
            "type": self.type,
            "required": self.required,
            "required_when": self.required_when,
            "default": self.default,
            "allowed_values": list(self.allowed),
            "versions": dict(self.versions),
            "example": self.example,
            "aliases": list(self.schema.get("x-aliases", ())),
            "per_stage": self.schema.get("x-per-stage", False),
            "rules": list(self.rules),
            "keys": [key.document() for key in self.keys],
            **{name: self.schema[name] for name in limits if name in self.schema},
        }
        return {key: value for key, value in found.items() if key == "required" or value not in (None, [], {}, False)}


@dataclass(frozen=True)
class PipelineType:
    """A pipeline type and the fields of its requests."""

    name: str
    blueprint: str
    summary: str
    delivery: str
    fields: tuple[Field, ...]
    readme: Path
    examples: Mapping[str, Mapping[str, Any]]  # by the end of its name: "" or "registry"

    def fields_of(self, *, registry: bool) -> tuple[list[Field], list[Field]]:
        """The required and the optional fields of a deployment with or without the model registry."""
        variant = "registry" if registry else "artifact"
        taken = [field for field in self.fields if {variant, ANY} & field.variants.keys()]
        needed = [field for field in taken if field.variants.get(variant, field.variants.get(ANY))]
        return needed, [field for field in taken if field not in needed]

    def document(self) -> Document:
        return {
            "pipeline_type": self.name,
            "summary": self.summary,
            "delivery": DELIVERY[self.delivery],
            "readme": str(self.readme),
        }


@functools.cache
def pipeline_types(blueprints: Path = BLUEPRINTS) -> dict[str, PipelineType]:
    """Every pipeline type by name."""
    with tempfile.TemporaryDirectory() as folder:
        compile_catalog(blueprints, Path(folder))
        return types_of(Catalog(Path(folder)), blueprints)


def types_of(catalog: Catalog, blueprints: Path) -> dict[str, PipelineType]:
    """Every pipeline type of a catalog that was compiled from these blueprints."""
    return {name: _type(name, catalog.find(name), blueprints) for name in sorted(catalog.pipeline_types)}


def _type(name: str, blueprint: Blueprint, blueprints: Path) -> PipelineType:
    folder = blueprints / blueprint.name
    examples = {
        path.stem.removeprefix(name).removeprefix("."): json.loads(path.read_text("utf-8"))
        for path in (folder / "examples").glob(f"{name}*.json")
        if path.stem.split(".")[0] == name
    }
    return PipelineType(
        name,
        blueprint.name,
        blueprint.pipeline_types[name]["summary"],
        blueprint.delivery,
        tuple(_fields(name, blueprint)),
        folder / "README.md",
        examples,
    )


def _fields(type_name: str, blueprint: Blueprint) -> Iterator[Field]:
    """The fields of a type in the order of its schema, over all variants of it."""
    variants: Mapping[str, Any] = blueprint.pipeline_types[type_name]["schemas"]
    merged: dict[str, Any] = {}
    for schema in variants.values():
        merged |= schema["properties"]
    merged.pop("pipeline_type")
    frameworks = _frameworks(blueprint)
    for key, schema in merged.items():
        having = {
            variant: key in one["required"] or key in _resolved(one)
            for variant, one in variants.items()
            if key in one["properties"]
        }
        conditions = [text for one in variants.values() for text in _conditions(key, one)]
        yield Field(
            key,
            schema,
            having,
            len(having) == len(variants) and all(having.values()),
            tuple(dict.fromkeys(conditions)),
            (*_rules(key, blueprint.rules), *_instead(key, merged)),
            tuple(schema.get("enum", ())) or tuple(frameworks if key == "model_framework" else ()),
            frameworks if key == "model_framework_version" else {},
        )


def _conditions(key: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """When the conditional parts of a schema require a field."""
    for part in (schema, *schema.get("allOf", ())):
        if key in part.get("then", {}).get("required", ()):
            yield _condition(part.get("if", {}))
        if key in set(part.get("else", {}).get("required", ())) - _resolved(schema):
            yield f"not ({_condition(part.get('if', {}))})"


def _resolved(schema: Mapping[str, Any]) -> set[str]:
    """The fields that another field can replace."""
    fields = schema["properties"].items()
    return {one["x-resolves"] for key, one in fields if one.get("x-resolves", key) != key}


def _instead(key: str, fields: Mapping[str, Any]) -> Iterator[str]:
    """The field that this one replaces, or is replaced by."""
    for name, one in fields.items():
        to = one.get("x-resolves")
        if to and to != name and key in (name, to):
            yield f"specify {to} or {name}, not both"


def _condition(schema: Mapping[str, Any]) -> str:
    """`if` as text: its fields and their required values."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    if not properties:
        return f"{' and '.join(schema.get('required', ()))} is specified"
    return " and ".join(
        f"{name} is {' or '.join(map(str, one['enum'] if 'enum' in one else [one.get('const', 'specified')]))}"
        for name, one in properties.items()
    )


def _rules(key: str, rules: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    """The rules that relate a field to other fields."""
    for rule in rules:
        condition = rule.get("when", {})
        when = {condition: None} if isinstance(condition, str) else dict(condition)
        given = " and ".join(_with(path, value) for path, value in when.items())
        if "not_less" in rule:
            greater, less = (path.removeprefix("/") for path in rule["not_less"])
            if key in (greater, less):
                yield f"{greater} must not be less than {less}{f' with {given}' if given else ''}"
        for path in rule.get("requires", ()):
            if f"/{key}" in (path, *when):
                yield f"with {given}, {path.removeprefix('/')} is required"
        for path, value in rule.get("needs", {}).items():
            if f"/{key}" in (path, *when):
                yield f"with {given}, {path.removeprefix('/')} must be {_values(value)}"


def _values(needed: Any) -> str:
    """What a field needs, in words; null is a field that is left out."""
    allowed = needed if isinstance(needed, list) else [needed]
    return " or ".join("left out" if one is None else json.dumps(one) for one in allowed)


def _with(path: str, value: Any) -> str:
    name = path.removeprefix("/")
    return name if value is None else f"{name} {json.dumps(value)}"


def _frameworks(blueprint: Blueprint) -> dict[str, list[str]]:
    """The frameworks in the image table for a blueprint, with their versions."""
    lookups = [SCOPES[one["lookup"]] for one in blueprint.parameters.values() if one.get("lookup") in SCOPES]
    return {name: uris.versions(name, lookups[0]) for name in uris.frameworks(lookups[0])} if lookups else {}
