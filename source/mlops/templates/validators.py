# SPDX-License-Identifier: Apache-2.0
"""Writes the validators that ship: Python that checks requests, generated from their schemas by fastjsonschema.

One module for a blueprint, so that its types share what its fields are. A validator only says whether a body fits;
jsonschema finds what does not (chalicelib/intake/explain.py). So the generated code has no messages, and
fastjsonschema does not ship.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import fastjsonschema

from mlops.templates.schema import Schema

_HEAD = """import re
from chalicelib.intake.validate import Mismatch
"""

# The keywords that mean the same in JSON Schema 2020-12, which schemas declare and jsonschema checks, and in draft 7,
# which fastjsonschema writes.
KEYWORDS = frozenset(
    {
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "else",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "if",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "not",
        "oneOf",
        "pattern",
        "properties",
        "propertyNames",
        "required",
        "then",
        "type",
        "uniqueItems",
    }
)


def write(schemas: Mapping[str, Schema], fields: Mapping[str, Schema]) -> str:
    """The module with a function for each schema, `validate_<its name>`: it returns, or raises Mismatch.

    `fields` are the properties that the schemas have in common.
    Raises fastjsonschema.JsonSchemaException for a schema that it cannot write code for.
    """
    numbers = {name: f"field{number}" for number, name in enumerate(fields)}
    definitions: dict[str, Any] = {numbers[name]: field for name, field in fields.items()}
    for number, document in enumerate(schemas.values()):
        properties: Mapping[str, Schema] = document["properties"]
        named = {name: _reference(numbers[name]) if name in numbers else one for name, one in properties.items()}
        definitions[f"schema{number}"] = {**document, "properties": named}
    whole = {
        "definitions": _const_as_enum(definitions),
        "anyOf": [_reference(f"schema{number}") for number in range(len(schemas))],
    }
    code: str = fastjsonschema.compile_to_code(whole, use_default=False, detailed_exceptions=False)
    tree = _Lean().visit(ast.parse(code))
    functions = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name != "validate"]
    entries = [f"validate_{name} = validate___definitions_schema{number}" for number, name in enumerate(schemas)]
    return "\n\n\n".join([_HEAD + "\n", *(ast.unparse(one) for one in functions), "\n".join(entries)]) + "\n"


def _reference(definition: str) -> Schema:
    return {"$ref": f"#/definitions/{definition}"}


class _Lean(ast.NodeTransformer):
    """Generated code without messages and what they are made of, and with patterns compiled when they are needed."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        del node.args.args[1:]
        node.args.defaults = []
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        return ast.Raise(_name("Mismatch"), None)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.type = _name("Mismatch")
        return self.generic_visit(node)

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        node.elts = [one for one in node.elts if not (isinstance(one, ast.Name) and one.id == "Decimal")]
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match node.func:
            case ast.Attribute(ast.Subscript(ast.Name("REGEX_PATTERNS"), pattern), method):
                return ast.Call(ast.Attribute(_name("re"), method, ast.Load()), [pattern, *node.args], [])
            case ast.Name(name) if name.startswith("validate_"):
                return ast.Call(node.func, node.args[:1], [])
        return self.generic_visit(node)


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _const_as_enum(value: Any) -> Any:
    """The same schema without `const`, which fastjsonschema 2.22 cannot write without its long messages."""
    if isinstance(value, list):
        return [_const_as_enum(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _const_as_enum(item) for key, item in value.items() if key != "const" or isinstance(item, dict)}
    return {**plain, "enum": [value["const"]]} if "const" in value and "const" not in plain else plain
