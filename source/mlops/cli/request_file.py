# SPDX-License-Identifier: Apache-2.0
"""Request files: JSON that can contain // comment lines, and ${Name} for an output of the main stack.

The API accepts strict JSON. `init` writes comments; `provision` and `validate` blank them before they send or check a
file. A line that begins with // is never part of a JSON value (JSON strings have no line breaks), so nothing else is
removed. Line numbers don't change, so they are correct in error messages. ${Name} is replaced by the output's value, so
that one file works in every account; unknown names are left unchanged.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from mlops.cli.catalogue import Field, PipelineType

COMMENT = re.compile(rb"^(\xef\xbb\xbf)?[ \t]*//[^\r\n]*", re.MULTILINE)
OUTPUT = re.compile(rb"\$\{([A-Za-z0-9]+)\}")
WIDTH = 100
FEW = 12


def without_comments(text: bytes) -> bytes:
    """The request without comments, as the API accepts it."""
    return COMMENT.sub(b"", text)


def filled(text: bytes, outputs: Callable[[], Mapping[str, str]]) -> bytes:
    """The request with ${Name} replaced by the output of that name. `outputs` is called only if there is one."""
    if not OUTPUT.search(text):
        return text
    known = outputs()
    return OUTPUT.sub(lambda found: known.get(found[1].decode(), found[0].decode()).encode(), text)


def smallest(wanted: PipelineType, *, registry: bool = False) -> dict[str, Any]:
    """The required fields of a type with their example values."""
    required, _ = wanted.fields_of(registry=registry)
    example = _example(wanted, registry)
    return {"pipeline_type": wanted.name, **{field.name: value_of(field, example) for field in required}}


def _example(wanted: PipelineType, registry: bool) -> Mapping[str, Any]:
    return wanted.examples.get("registry" if registry else "", {})


def template(wanted: PipelineType, *, registry: bool = False, needed: Collection[str] = ()) -> str:
    """A request template: required fields with example values, optional fields as comments.

    `needed` are optional fields that the example values of the required ones require.
    """
    required, optional = wanted.fields_of(registry=registry)
    required += [field for field in optional if field.name in needed]
    optional = [field for field in optional if field.name not in needed]
    example = _example(wanted, registry)
    lines = [
        f"// A {wanted.name} request. {wanted.summary}",
        "// Replace the example values, then run:",
        "//   mlops validate FILE",
        "//   mlops provision FILE --watch",
        "// mlops removes lines that begin with //, and replaces ${AssetsBucketName} by the name of the assets",
        "// bucket, before it sends the request. The API itself accepts neither.",
        "{",
        "  // ---- Required",
        "",
    ]
    for field in required:
        lines += [*comment_lines(field), *entry(field.name, value_of(field, example)), ""]
    lines += ["  // ---- Optional: to set a field, remove the // before it", ""]
    for field in optional:
        lines += [*comment_lines(field), f"  // {one_line(field.name, value_of(field, example))}", ""]
    lines += [
        "  // JSON does not allow a comma after the last field, so keep this one last.",
        *entry("pipeline_type", wanted.name),
    ]
    return "\n".join([*lines[:-1], lines[-1].removesuffix(","), "}", ""])


def value_of(field: Field, example: Mapping[str, Any]) -> Any:
    """An example value. A bucket at its beginning is replaced by the assets bucket, which every deployment allows."""
    value = example.get(field.name, field.example)
    if field.schema.get("x-names") == "bucket" and isinstance(value, str):
        return f"${{AssetsBucketName}}/{value.partition('/')[2]}"
    return value


def comment_lines(field: Field) -> Iterator[str]:
    """A field's description as comments, with its allowed values and its default."""
    text = field.description
    if 0 < len(field.allowed) <= FEW:
        text += " One of " + ", ".join(json.dumps(value, ensure_ascii=False) for value in field.allowed) + "."
    if "minimum" in field.schema and "maximum" in field.schema:
        text += f" {field.schema['minimum']} to {field.schema['maximum']}."
    if field.default is not None:
        text += f" Default: {json.dumps(field.default, ensure_ascii=False)}."
    for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False):
        yield f"  // {line}"


def entry(name: str, value: Any) -> list[str]:
    """A field with its value as lines of JSON, the last with a comma: of a long object, each key has its line."""
    line = one_line(name, value)
    if len(line) <= WIDTH or not isinstance(value, dict):
        return [f"  {line}"]
    inner = [f"    {one_line(key, one)}" for key, one in value.items()]
    return [f"  {json.dumps(name)}: {{", *inner[:-1], inner[-1].removesuffix(","), "  },"]


def one_line(name: str, value: Any) -> str:
    """A field with its value as JSON, and a comma."""
    return f"{json.dumps({name: value}, ensure_ascii=False)[1:-1]},"
