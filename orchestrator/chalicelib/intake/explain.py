# SPDX-License-Identifier: Apache-2.0
"""A body that does not fit its schema -> every problem in it, with what to write instead.

Imported only for a request that is wrong, as jsonschema is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jsonschema

from chalicelib.catalog import Schema
from chalicelib.errors import MOST_PROBLEMS, BadRequest, Code, Problem
from chalicelib.intake.canonical import text as canonical_text
from chalicelib.intake.request import Body, describe, parse_value
from chalicelib.nearest import nearest, similar
from chalicelib.quoting import VALUE, cut, pointer, shown

_SHORT_LIST = 12
_WANTED = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
_STAGES = {"dev", "staging", "prod"}


def explain(body: Body, schema: Schema) -> list[Problem]:
    """Every way in which a body does not fit its schema, one problem for each place."""
    validator = jsonschema.Draft202012Validator(schema)
    found: dict[str, Problem] = {}
    # A value of the wrong type breaks more rules than one: its type is the one to tell.
    for error in sorted(_leaves(validator.iter_errors(body)), key=lambda error: error.validator != "type"):
        for problem in _problems(error, schema):
            found.setdefault(problem.path, problem)
    return list(found.values())


def _leaves(errors: Iterator[Any]) -> Iterator[Any]:
    for error in errors:
        if error.context:
            yield from _leaves(iter(error.context))
        else:
            yield error


def _problems(error: Any, schema: Schema) -> Iterator[Problem]:
    """The problems that one error of jsonschema stands for."""
    path = pointer(*error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:  # what does not fit is a key of the object there
        path += pointer(error.instance)
    # A conditional part has only what is different; what the field is, its property says.
    about = _declared(schema, error.absolute_path)
    field: Schema = {**about, **error.schema}
    value, limit = error.instance, error.validator_value
    match error.validator:
        case "required":
            for key in limit:
                if key not in value:
                    advice = _advice(_declared(about, [key]))
                    yield Problem(path + pointer(key), Code.MISSING, "is missing", advice)
        case "additionalProperties" if limit is False:
            yield from _unknown_keys(path, value, error.schema.get("properties", {}))
        case "type":
            yield _wrong_type(path, value, field, _is_optional(schema, error.absolute_path))
        case "enum" | "const":
            yield _not_listed(path, value, field)
        case "pattern":
            problem = f"{shown(value)} is not {field.get('title', 'of the right form')}"
            yield Problem(path, Code.WRONG_FORMAT, problem, _mistake(value, field) or _advice(field))
        case "minimum" | "exclusiveMinimum":
            yield Problem(path, Code.TOO_SMALL, f"{shown(value)} is too small", f"at least {limit}")
        case "maximum" | "exclusiveMaximum":
            yield Problem(path, Code.TOO_LARGE, f"{shown(value)} is too large", f"at most {limit}")
        case "maxLength":
            yield Problem(path, Code.TOO_LONG, f"{shown(value)} has {len(value)} characters", f"at most {limit}")
        case "minLength":
            yield Problem(path, Code.TOO_SHORT, f"{shown(value)} has {len(value)} characters", f"at least {limit}")
        case "minProperties" | "minItems":
            problem = f"has {len(value)} entries" if value else "is empty"
            yield Problem(path, Code.TOO_FEW, problem, "; ".join(filter(None, (f"at least {limit}", _advice(field)))))
        case "maxProperties" | "maxItems":
            yield Problem(path, Code.TOO_MANY, f"has {len(value)} entries", f"at most {limit}")
        case "not" if "x-instead" in field:
            problem = f"cannot be used together with /{field['x-instead']}, which replaces it"
            yield Problem(path, Code.CONFLICT, problem, "remove one of them")
        case "uniqueItems":
            yield Problem(path, Code.NOT_ALLOWED_VALUE, "has equal items", "remove all but one of them")
        case _:
            yield Problem(path, Code.NOT_ALLOWED_VALUE, error.message, _advice(field))


def _declared(schema: Schema, path: Iterable[str | int]) -> Schema:
    """What a schema says of a place below it; empty where it says nothing."""
    for key in path:
        others = schema.get("items" if isinstance(key, int) else "additionalProperties")
        found = schema.get("properties", {}).get(key, others)
        if not isinstance(found, Mapping):
            return {}
        schema = found
    return schema


def _is_optional(schema: Schema, path: Sequence[str | int]) -> bool:
    """Whether the place is a key that may be left out."""
    *parents, key = path or [0]
    return isinstance(key, str) and key not in _declared(schema, parents).get("required", ())


def _unknown_keys(path: str, value: Any, properties: Schema) -> Iterator[Problem]:
    known = {name: one for one, field in properties.items() for name in (one, *field.get("x-aliases", ()))}
    for index, key in enumerate(sorted(set(value) - set(properties))):
        near = similar(key, list(known)) if index < MOST_PROBLEMS else None
        hint = f"did you mean {known[near]!r}?" if near else "remove it"
        yield Problem(path + pointer(key), Code.UNKNOWN_KEY, "is an unknown key", hint)


def _wrong_type(path: str, value: Any, field: Schema, optional: bool) -> Problem:
    kind = field.get("type", "")
    wanted = _WANTED.get(kind, "of that type")
    if field.get("x-per-stage") and isinstance(value, dict) and value and set(value) <= _STAGES:
        problem = "has a value for each stage, but this deployment has a single account"
        return Problem(path, Code.WRONG_TYPE, problem, "use a single value")
    hint = "omit the key instead" if value is None and optional else _advice(field)
    what = describe(value)
    if isinstance(value, str) and kind in ("object", "array") and (content := _json_in(value)):
        return Problem(path, Code.WRONG_TYPE, f"is a string that contains {content}, not {wanted}", hint)
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        quoted = json.dumps(canonical_text(value))
        if re.search(field.get("pattern", ""), quoted[1:-1]):
            hint = f"to use this value, write it as a string: {quoted}"
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return Problem(path, Code.WRONG_TYPE, f"is {shown(value)}, {what}, not {wanted}", hint)
    return Problem(path, Code.WRONG_TYPE, f"is {what}, not {wanted}", hint)


def _json_in(value: str) -> str:
    """What kind of JSON a string contains, where it contains any but a string."""
    try:
        content = parse_value(value)
    except BadRequest:
        return ""
    return "" if isinstance(content, str) else describe(content)


def _not_listed(path: str, value: Any, field: Schema) -> Problem:
    allowed = [str(one) for one in field.get("enum", [field.get("const")]) if one != ""]
    kind = field.get("title")
    problem = f"{shown(value)} is not {kind}" if kind else f"{shown(value)} is not an allowed value"
    near = nearest(str(value), allowed)
    if near:
        hint = f"did you mean {near!r}?"
    elif len(allowed) <= _SHORT_LIST:
        hint = f"one of {', '.join(allowed)}"
    else:
        hint = _advice(field)
    return Problem(path, Code.NOT_ALLOWED_VALUE, problem, hint)


def _mistake(value: str, field: Schema) -> str:
    """The hint for a mistake that the schema has a pattern of."""
    for mistake in field.get("x-mistakes", ()):
        found = re.search(mistake["pattern"], value)
        if found:
            return cut(str(found.expand(mistake["hint"])), 2 * VALUE)
    return ""


def _advice(field: Schema) -> str:
    """What to write: the field's description and an example."""
    examples = field.get("examples") or ([field["default"]] if field.get("default") not in (None, "", [], {}) else [])
    example = f"for example {json.dumps(examples[0], ensure_ascii=False)}" if examples else ""
    description = str(field.get("description", "")).rstrip(".")
    return "; ".join(part for part in (description, example) if part)
