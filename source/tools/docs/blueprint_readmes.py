# SPDX-License-Identifier: Apache-2.0
"""Writes the table of fields in each blueprint's README out of its schema: `python -m tools.docs.blueprint_readmes`."""

from __future__ import annotations

import json
from pathlib import Path

import click
from mlops.templates import manifest
from mlops.templates.folder import BlueprintError, Folder, Parts, read_folders, read_parts
from mlops.templates.schema import Schema, properties_of, variants

BEGIN, END = "<!-- fields: made by `make docs` -->", "<!-- end of fields -->"


def fields_table(folder: Folder, parts: Parts) -> str:
    """The request's fields as a Markdown table: key, what it is, who requires it, its default."""
    manifest.check(folder, properties_of(folder, parts))
    required: dict[str, list[str]] = {}
    for name in folder.manifest["pipeline_types"]:
        for variant, schema in variants(folder, name, parts).items():
            for key in schema["required"]:
                required.setdefault(key, []).append(_who(name, variant))
            for part in schema.get("allOf", []):
                for key in part.get("else", {}).get("required", []):
                    unless = " and ".join(f"`{one}`" for one in part["if"].get("required", []))
                    required.setdefault(key, []).append(f"{_who(name, variant)} without {unless}")
    every = max(len(one) for one in required.values())
    rows = ["| key | what it is | required | default |", "|---|---|---|---|"]
    for key, field in properties_of(folder, parts).items():
        who = required.get(key, [])
        needs = "yes" if len(who) == every else "<br>".join(who) or "no"
        default = json.dumps(field["default"]) if field.get("default") not in (None, "", [], {}) else ""
        rows.append(f"| `{key}` | {_about(field)} | {needs} | {f'`{default}`' if default else ''} |")
    return "\n".join(rows)


def _who(type_name: str, variant: str) -> str:
    return type_name if variant == "any" else f"{type_name} ({variant})"


def with_fields(readme: str, table: str) -> str:
    """A README with its table of fields renewed."""
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BlueprintError(f"has no lines {BEGIN} and {END}: the table of fields goes between them")
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"


def _about(field: Schema) -> str:
    about = str(field["description"])
    if "enum" in field and len(field["enum"]) <= 12:
        about += " One of " + ", ".join(f"`{one}`" for one in field["enum"] if one != "") + "."
    elif "minimum" in field and "maximum" in field:
        about += f" {field['minimum']} to {field['maximum']}."
    elif "minimum" in field or "maximum" in field:
        about += f" At least {field['minimum']}." if "minimum" in field else f" At most {field['maximum']}."
    if "x-aliases" in field:
        about += " Also spelt " + ", ".join(f"`{one}`" for one in field["x-aliases"]) + "."
    return about.replace("|", "\\|")


@click.command()
@click.option("--blueprints", type=click.Path(exists=True, path_type=Path), default="blueprints", show_default=True)
def main(blueprints: Path) -> None:
    """Renew the tables of fields in the blueprints' READMEs."""
    try:
        parts = read_parts(blueprints)
        for folder in read_folders(blueprints):
            _renew(blueprints / folder.name / "README.md", fields_table(folder, parts))
    except BlueprintError as error:
        raise click.ClickException(str(error)) from error


def _renew(path: Path, table: str) -> None:
    where = f"{path.parent.name}/{path.name}"
    if not path.exists():
        raise BlueprintError(f"{where} is missing: it begins with what the blueprint is for, and has {BEGIN} and {END}")
    try:
        path.write_text(with_fields(path.read_text("utf-8"), table), "utf-8")
    except BlueprintError as error:
        raise BlueprintError(f"{where}: {error}") from error


if __name__ == "__main__":
    main()
