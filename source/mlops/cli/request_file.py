# SPDX-License-Identifier: Apache-2.0
"""Request files: JSON in which a line may be a // comment, and ${Name} an output of the orchestrator's stack.

The API takes strict JSON. `provision` and `validate` blank comment lines before they send or check a file, and `init`
writes them. A line that begins with // is no part of any JSON value (text in JSON has no line breaks), so nothing
else can be lost; lines keep their numbers, so that errors name the right ones. Both also put the value of an output in
the place of its name, so that one file serves every account; what is no output stays as it is.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mlops.cli.catalogue import Field, PipelineType

COMMENT = re.compile(rb"^(\xef\xbb\xbf)?[ \t]*//[^\r\n]*", re.MULTILINE)
OUTPUT = re.compile(rb"\$\{([A-Za-z0-9]+)\}")
WIDTH = 100
FEW = 12


def without_comments(text: bytes) -> bytes:
    """The request as the API takes it."""
    return COMMENT.sub(b"", text)


def filled(text: bytes, outputs: Callable[[], Mapping[str, str]]) -> bytes:
    """The request with ${Name} replaced by the output of that name. `outputs` is called only if there is one."""
    if not OUTPUT.search(text):
        return text
    known = outputs()
    return OUTPUT.sub(lambda found: known.get(found[1].decode(), found[0].decode()).encode(), text)


def template(wanted: PipelineType, *, registry: bool = False) -> str:
    """A request to fill in: required keys with example values, optional ones as comments."""
    required, optional = wanted.fields_of(registry=registry)
    example = wanted.examples.get("registry" if registry else "", {})
    lines = [
        f"// A {wanted.name} request. {wanted.summary}",
        "// Replace the example values, then run:",
        "//   mlops validate FILE",
        "//   mlops provision FILE --watch",
        "// Before mlops sends a request it removes lines that begin with //, and replaces ${AssetsBucketName} by",
        "// the name of the assets bucket. The API takes JSON without either.",
        "{",
        "  // ---- Required",
        "",
    ]
    for field in required:
        lines += [*comment_lines(field), *entry(field.name, value_of(field, example)), ""]
    lines += ["  // ---- Optional: to set one, remove the // before the key", ""]
    for field in optional:
        set_so = entry(field.name, value_of(field, example))
        lines += [*comment_lines(field), *(f"  //{line[1:]}" for line in set_so), ""]
    lines += [
        "  // JSON allows no comma after the last key, so keep this one last.",
        *entry("pipeline_type", wanted.name),
    ]
    return "\n".join([*lines[:-1], lines[-1].removesuffix(","), "}", ""])


def value_of(field: Field, example: Mapping[str, Any]) -> Any:
    """An example value. Where it begins with a bucket, that is the assets bucket, which every deployment allows."""
    value = example.get(field.name, field.example)
    if field.schema.get("x-names") == "bucket" and isinstance(value, str):
        return f"${{AssetsBucketName}}/{value.partition('/')[2]}"
    return value


def comment_lines(field: Field) -> Iterator[str]:
    """A field's description as comments, with the values that it can have and its default."""
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
    """A key with its value as lines of JSON, the last with a comma."""
    line = json.dumps({name: value}, ensure_ascii=False)
    if len(line) <= WIDTH:
        return [f"  {line[1:-1]},"]
    return f"{json.dumps({name: value}, indent=2, ensure_ascii=False)[2:-2]},".splitlines()
