# SPDX-License-Identifier: Apache-2.0
"""Canonical body x schema and rules -> every problem in it.

A validator generated at build time answers the good case; jsonschema, imported only when that one refuses, finds
everything that is wrong. Both come from the same schema, and a test holds them together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from chalicelib.catalog import Schema
from chalicelib.errors import MOST_PROBLEMS, BadRequest, Problem
from chalicelib.intake.canonical import text as canonical_text
from chalicelib.intake.request import Body, describe, parse
from chalicelib.quoting import VALUE, cut, pointer, shown

_NEAR = 0.6
_SHORT_LIST = 12
_WANTED = {
    "string": "a string",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
_STAGES = {"dev", "staging", "prod"}


class Mismatch(Exception):
    """A generated validator met something that does not fit; which and where, the explanation tells."""


def problems(
    body: Body, schema: Schema, check: Callable[[Any], Any], rules: tuple[Mapping[str, Any], ...] = ()
) -> list[Problem]:
    """Everything wrong with a canonical body; empty when it is right."""
    found: list[Problem] = []
    try:
        check(body)
    except Mismatch as mismatch:
        found = explain(body, schema) or [Problem("", str(mismatch))]
    found += _too_many_bytes(body, schema, {problem.path for problem in found})
    wrong = {problem.path for problem in found}
    found += [problem for rule in rules if wrong.isdisjoint(_fields(rule)) for problem in _broken(rule, body)]
    return found


def _too_many_bytes(body: Body, schema: Schema, wrong: set[str]) -> list[Problem]:
    """Texts longer than AWS takes them, which counts bytes where JSON Schema counts characters."""
    found = []
    for name, field in schema["properties"].items():
        value, most = body.get(name), field.get("x-max-bytes")
        if most and isinstance(value, str) and f"/{name}" not in wrong and (size := len(value.encode())) > most:
            found.append(Problem(f"/{name}", f"has {size} bytes as UTF-8", f"at most {most}"))
    return found


def explain(body: Body, schema: Schema) -> list[Problem]:
    """Every way in which a body does not fit its schema."""
    import jsonschema  # 76 ms, and only for a request that is wrong

    validator = jsonschema.Draft202012Validator(schema)
    found: dict[str, Problem] = {}
    # A value of the wrong type breaks more rules than one: its type is the one worth telling.
    for error in sorted(_leaves(validator.iter_errors(body)), key=lambda error: error.validator != "type"):
        for problem in _explain(error, schema):
            found.setdefault(problem.path, problem)
    return list(found.values())


def _leaves(errors: Iterator[Any]) -> Iterator[Any]:
    for error in errors:
        if error.context:
            yield from _leaves(iter(error.context))
        else:
            yield error


def _explain(error: Any, schema: Schema) -> Iterator[Problem]:
    path = pointer(*error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:  # what does not fit is a key of the object there
        path += pointer(error.instance)
    # A conditional part says only what is different; what the field is stands in its property.
    about = schema["properties"].get(error.absolute_path[0], {}) if len(error.absolute_path) == 1 else {}
    field: Schema = {**about, **error.schema}
    value = error.instance
    match error.validator:
        case "required":
            for key in error.validator_value:
                if key not in value:
                    yield Problem(path + pointer(key), "is missing", _advice(schema["properties"].get(key, {})))
        case "additionalProperties" if error.validator_value is False:
            takes = error.schema["properties"]
            known = [name for one, of in takes.items() for name in (one, *of.get("x-aliases", ()))]
            for index, key in enumerate(sorted(set(value) - set(takes))):
                near = get_close_matches(key, known, 1, _NEAR) if index < MOST_PROBLEMS else []
                yield Problem(
                    path + pointer(key),
                    "is not a known key",
                    f"did you mean {near[0]!r}?" if near else "leave it out",
                )
        case "type":
            needed = list(error.absolute_path) in [[key] for key in schema["required"]]
            yield _wrong_type(path, value, field, needed)
        case "enum" | "const":
            yield _not_listed(path, value, field)
        case "pattern":
            yield Problem(
                path,
                f"{shown(value)} is not {field.get('title', 'of the right form')}",
                _mistake(value, field) or _advice(field),
            )
        case "minimum" | "exclusiveMinimum":
            yield Problem(path, f"{shown(value)} is too small", f"at least {error.validator_value}")
        case "maximum" | "exclusiveMaximum":
            yield Problem(path, f"{shown(value)} is too large", f"at most {error.validator_value}")
        case "maxLength" | "minLength":
            most = error.validator == "maxLength"
            yield Problem(
                path,
                f"{shown(value)} has {len(value)} characters",
                f"at {'most' if most else 'least'} {error.validator_value}",
            )
        case "minProperties" | "minItems":
            yield Problem(
                path,
                "is empty" if not value else f"has {len(value)} entries",
                f"at least {error.validator_value}; {_advice(field)}",
            )
        case "maxProperties" | "maxItems":
            yield Problem(path, f"has {len(value)} entries", f"at most {error.validator_value}")
        case "not" if "x-instead" in field:
            yield Problem(
                path, f"is given together with /{field['x-instead']}, which stands for it", "keep one of them"
            )
        case _:
            yield Problem(path, error.message, _advice(field))


def _wrong_type(path: str, value: Any, field: Schema, needed: bool) -> Problem:
    kind = field.get("type", "")
    wanted = _WANTED.get(kind, "of that type")
    if field.get("x-per-stage") and isinstance(value, dict) and value and set(value) <= _STAGES:
        return Problem(path, "is one value a stage, and this deployment has a single account", "give one value")
    hint = "leave the key out instead" if value is None and not needed else _advice(field)
    what = describe(value)
    if isinstance(value, str) and kind in ("object", "array") and (held := _held(value)):
        return Problem(path, f"is text that holds {held}, not {wanted}", hint)
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        quoted = json.dumps(canonical_text(value))
        if re.search(field.get("pattern", ""), quoted[1:-1]):
            hint = f"if that is meant, write it as text: {quoted}"
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return Problem(path, f"is {shown(value)}, {what}, not {wanted}", hint)
    return Problem(path, f"is {what}, not {wanted}", hint)


def _held(value: str) -> str:
    """What kind of JSON a text holds, where it holds any that is no text itself."""
    try:
        held = parse(f'{{"value": {value}}}'.encode())["value"]
    except (BadRequest, KeyError):
        return ""
    return "" if isinstance(held, str) else describe(held)


def _not_listed(path: str, value: Any, field: Schema) -> Problem:
    allowed = [one for one in field.get("enum", [field.get("const")]) if one != ""]
    kind = field.get("title")
    problem = f"{shown(value)} is not {kind}" if kind else f"{shown(value)} is not one of the values it can have"
    near = nearest(str(value), [str(one) for one in allowed])
    if near:
        return Problem(path, problem, f"did you mean {near!r}?")
    if len(allowed) <= _SHORT_LIST:
        return Problem(path, problem, f"one of {', '.join(map(str, allowed))}")
    return Problem(path, problem, _advice(field))


def nearest(value: str, known: list[str]) -> str | None:
    """The nearest known value: the same but for case first, then with its end in common, then by likeness."""
    lowered = {one.lower(): one for one in known}
    if value.lower() in lowered:
        return lowered[value.lower()]
    ending = [one for one in known if value and one.endswith(f".{value}")]
    near = ending or get_close_matches(value, known, 1, _NEAR)
    return near[0] if near else None


def _mistake(value: str, field: Schema) -> str:
    """The hint of a mistake that the schema knows by its looks."""
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


def _fields(rule: Mapping[str, Any]) -> set[str]:
    return {*rule.get("not_less", ()), *rule.get("needs", ()), *_when(rule)}


def _when(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields a rule depends on, each with the value it must have; None: any but false."""
    condition = rule.get("when", {})
    return {condition: None} if isinstance(condition, str) else condition


def _broken(rule: Mapping[str, Any], body: Body) -> Iterator[Problem]:
    """A rule over two fields; both are in the body, by default or by request."""

    def value(path: str) -> Any:
        return body.get(path.removeprefix("/"))

    when = _when(rule)
    if not all(value(path) if wanted is None else value(path) == wanted for path, wanted in when.items()):
        return
    if "not_less" in rule:
        greater, less = map(value, rule["not_less"])
        if isinstance(greater, int) and isinstance(less, int) and greater < less:
            yield Problem(
                rule["not_less"][0], f"{shown(greater)} is less than {rule['not_less'][1]}, {less}", f"at least {less}"
            )
    for path, needed in rule.get("needs", {}).items():
        if value(path) != needed:
            given = " and ".join(one if wanted is None else f"{one} {shown(wanted)}" for one, wanted in when.items())
            yield Problem(path, f"{shown(value(path))} does not go with {given}", f"{shown(needed)}: {rule['because']}")
