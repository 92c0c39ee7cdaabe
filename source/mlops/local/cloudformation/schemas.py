# SPDX-License-Identifier: Apache-2.0
"""CloudFormation's registry schemas, as cfn-lint ships them: how a resource's properties must look."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import regex
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from mlops.local.settings import REGION

Schema = dict[str, Any]


@cache
def _directory() -> Path:
    # found without importing cfnlint, which takes half a second
    spec = find_spec("cfnlint")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the laptop account requires cfn-lint, which contains the resource schemas")
    return Path(spec.origin).parent / "data" / "schemas"


@cache
def _index() -> dict[str, str]:
    index: dict[str, str] = json.loads((_directory() / "providers" / f"{REGION}.json").read_text())
    return index


@cache
def schema(type_name: str) -> Schema | None:
    """The registry schema of a resource type, or None where there is none (custom resources)."""
    digest = _index().get(type_name)
    if digest is None:
        return None
    found: Schema = json.loads((_directory() / "resources" / f"{digest}.json").read_text())
    return found


def create_only(type_name: str) -> tuple[str, ...]:
    """The top-level properties whose change makes a new resource."""
    paths = (schema(type_name) or {}).get("createOnlyProperties", ())
    return tuple(sorted({path.split("/")[2] for path in paths if path.count("/") == 2}))


def tag_property(type_name: str) -> str | None:
    """The property that takes the stack's tags."""
    tagging = (schema(type_name) or {}).get("tagging", {})
    if not tagging.get("taggable"):
        return None
    return str(tagging.get("tagProperty", "/properties/Tags")).removeprefix("/properties/")


def handler_permissions(type_name: str, operation: str) -> list[str]:
    """The actions that a type's handler may need to "create", "update" or "delete": more than each resource needs."""
    handler = (schema(type_name) or {}).get("handlers", {}).get(operation, {})
    return list(handler.get("permissions", ()))


def problems(type_name: str, properties: dict[str, Any]) -> list[str]:
    """What is wrong with a resource's properties, in CloudFormation's words."""
    root = schema(type_name)
    if root is None:
        return []
    given = coerce(type_name, properties)
    found = [_words(error) for error in _validator(type_name).iter_errors(given)]
    read_only = {path.split("/")[2] for path in root.get("readOnlyProperties", ()) if path.count("/") == 2}
    settable = set(root.get("writeOnlyProperties", ()))
    found += [
        f"#: property [{name}] is read only"
        for name in sorted(read_only & given.keys())
        if f"/properties/{name}" not in settable
    ]
    return found


# --- numbers, booleans and strings -------------------------------------------------------------------------


def coerce(type_name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Properties with the types the schema asks for: a template's "20" is 20 where a number is wanted."""
    root = schema(type_name)
    coerced: dict[str, Any] = properties if root is None else _coerce(root, root, properties)
    return coerced


def _coerce(root: Schema, part: Schema, value: Any) -> Any:
    part = _resolve(root, part)
    kinds = _kinds(part)
    if isinstance(value, dict):
        members, patterns = part.get("properties", {}), part.get("patternProperties", {})
        branches = [_resolve(root, branch) for branch in part.get("oneOf", []) + part.get("anyOf", [])]
        for branch in branches:
            members = {**branch.get("properties", {}), **members}
        extra = part.get("additionalProperties")
        return {name: _coerce(root, _member(name, members, patterns, extra), item) for name, item in value.items()}
    if isinstance(value, list):
        return [_coerce(root, part.get("items", {}), item) for item in value]
    return _coerce_scalar(kinds, value)


def _member(name: str, members: Schema, patterns: Schema, extra: Any) -> Schema:
    if name in members:
        found: Schema = members[name]
        return found
    for pattern, found in patterns.items():
        if _search(pattern)(name):
            return dict(found)
    return extra if isinstance(extra, dict) else {}


def _resolve(root: Schema, part: Any) -> Schema:
    while isinstance(part, dict) and "$ref" in part:
        target: Any = root
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        part = target
    return part if isinstance(part, dict) else {}


def _kinds(part: Schema) -> set[str]:
    kind = part.get("type", [])
    return {kind} if isinstance(kind, str) else set(kind)


def _coerce_scalar(kinds: set[str], value: Any) -> Any:
    if isinstance(value, str) and "string" not in kinds:
        if "boolean" in kinds and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if "integer" in kinds and regex.fullmatch(r"[+-]?\d+", value):
            return int(value)
        if "number" in kinds and regex.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", value):
            return float(value) if regex.search(r"[.eE]", value) else int(value)
    elif "string" in kinds and not kinds & {"boolean", "integer", "number"}:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return str(value)
    elif "integer" in kinds and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


# --- validation --------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _search(pattern: str) -> Callable[[str], Any]:
    searcher: Callable[[str], Any] = regex.compile(pattern).search
    return searcher


def _pattern(validator: Any, pattern: str, value: Any, part: Schema) -> Iterator[ValidationError]:
    # regex, because some patterns use classes like \p{L} that re doesn't know
    if isinstance(value, str) and not _search(pattern)(value):
        yield ValidationError(f"failed validation constraint for keyword [pattern]: {pattern}")


def _required_xor(validator: Any, names: list[str], value: Any, part: Schema) -> Iterator[ValidationError]:
    if isinstance(value, dict) and sum(name in value for name in names) != 1:
        yield ValidationError(f"exactly one of {names} is required")


def _required_or(validator: Any, names: list[str], value: Any, part: Schema) -> Iterator[ValidationError]:
    if isinstance(value, dict) and not any(name in value for name in names):
        yield ValidationError(f"one of {names} is required")


def _dependent_excluded(
    validator: Any, rules: dict[str, list[str]], value: Any, part: Schema
) -> Iterator[ValidationError]:
    for name, excluded in rules.items():
        if isinstance(value, dict) and name in value:
            for other in excluded:
                if other in value:
                    yield ValidationError(f"[{other}] may not be given with [{name}]")


_Validator = extend(
    Draft7Validator,
    {
        "pattern": _pattern,
        "requiredXor": _required_xor,
        "requiredOr": _required_or,
        "dependentExcluded": _dependent_excluded,
    },
)


@cache
def _validator(type_name: str) -> Any:
    return _Validator(schema(type_name))


def _words(error: ValidationError) -> str:
    path = "#" + "".join(f"/{step}" for step in error.absolute_path)
    match error.validator:
        case "additionalProperties":
            known, patterns = (error.schema.get(key, {}) for key in ("properties", "patternProperties"))
            extra = [
                name
                for name in error.instance
                if name not in known and not any(_search(pattern)(name) for pattern in patterns)
            ]
            return f"{path}: extraneous key [{', '.join(extra)}] is not permitted"
        case "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            return f"{path}: required key [{missing[0]}] not found"
        case "type":
            return f"{path}: expected type: {error.validator_value}, found: {type(error.instance).__name__}"
        case "enum":
            return f"{path}: {error.instance!r} is not a valid enum value, one of {error.validator_value}"
        case _:
            return f"{path}: {error.message}"
