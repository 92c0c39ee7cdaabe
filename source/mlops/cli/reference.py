# SPDX-License-Identifier: Apache-2.0
"""mlops types, explain, init: the pipeline types and their fields, without an account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mlops.cli import offline, request_file, show, table
from mlops.cli.catalogue import Field, PipelineType, pipeline_types
from mlops.cli.failures import Failure

REGION = "us-east-1"  # in which the fields that a template needs are found; any Region has the same


def complete_type(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(name, help=one.summary) for name, one in pipeline_types().items() if name.startswith(incomplete)
    ]


def complete_key(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """TYPE, and after a dot TYPE.FIELD."""
    name, dot, begin = incomplete.partition(".")
    wanted = pipeline_types().get(name)
    if not dot or not wanted:
        return complete_type(context, parameter, incomplete)
    return [
        CompletionItem(f"{name}.{field.name}", help=field.description)
        for field in wanted.fields
        if field.name.startswith(begin)
    ]


@click.command(epilog="Example:  mlops types")
def types() -> None:
    """List the pipeline types."""
    found = pipeline_types().values()
    if show.wants_json():
        show.as_json([one.document() for one in found])
        return
    rows = [(one.name, one.document()["delivery"], near(one.readme), one.summary) for one in found]
    table.write(("TYPE", "DELIVERY", "README", "SUMMARY"), rows, fold=True)
    show.err().print("\nFields of a type: mlops explain TYPE\nRequest template: mlops init TYPE", style="dim")


@click.command(epilog="Example:  mlops explain model_training_builtin.instance_type")
@click.argument("name", metavar="TYPE[.FIELD]", shell_complete=complete_key)
def explain(name: str) -> None:
    """Describe a pipeline type or one of its fields.

    For a field, prints its description, type, whether it is required, default, allowed values, and an example.
    """
    type_name, _, key = name.partition(".")
    wanted = find_type(type_name)
    if key:
        field = find_field(wanted, key)
        if show.wants_json():
            show.as_json({"pipeline_type": wanted.name, **field.document()})
        else:
            explain_field(wanted, field)
    elif show.wants_json():
        show.as_json({**wanted.document(), "fields": [field.document() for field in wanted.fields]})
    else:
        explain_type(wanted)


@click.command(epilog="Example:  mlops init model_training_builtin > training.json")
@click.argument("name", metavar="TYPE", shell_complete=complete_type)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to create. By default, print to stdout.",
)
@click.option("--registry", is_flag=True, help="For a deployment that uses the model registry.")
def init(name: str, output: Path | None, registry: bool) -> None:
    """Create a request template.

    The template has the required fields of TYPE with example values, and the optional fields as // comments.
    `mlops provision` and `mlops validate` remove the comments. The API itself accepts only JSON without comments.
    """
    wanted = find_type(name)
    text = request_file.template(wanted, registry=registry, needed=needed_of(wanted, registry))
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Failure(f"{output} already exists", "use another name, or delete the file") from None
    show.success(f"Wrote {output}")


def needed_of(wanted: PipelineType, registry: bool) -> set[str]:
    """The optional fields without which the example values of the required ones are no valid request."""
    smallest = request_file.smallest(wanted, registry=registry)
    raw = request_file.filled(json.dumps(smallest).encode(), lambda: offline.OUTPUTS)
    verdict = offline.check(raw, REGION, registry=registry)
    return {problem["path"].removeprefix("/") for problem in verdict.problems if problem["code"] == "missing"}


def find_type(name: str) -> PipelineType:
    known = pipeline_types()
    if name not in known:
        raise Failure(f"Unknown pipeline type {name!r}", nearest(name, list(known)))
    return known[name]


def find_field(wanted: PipelineType, key: str) -> Field:
    for field in wanted.fields:
        if key in (field.name, *field.schema.get("x-aliases", ())):
            return field
    raise Failure(f"{wanted.name} has no field {key!r}", nearest(key, [field.name for field in wanted.fields]))


def nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"


def near(path: Path) -> str:
    """A path, relative to the current directory if it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def explain_type(wanted: PipelineType) -> None:
    show.out().print(wanted.name, style="bold")
    click.echo(f"{wanted.summary}\n")
    show.facts({"Delivery": wanted.document()["delivery"], "README": near(wanted.readme)})
    for title, fields in (
        ("Required", [field for field in wanted.fields if field.required]),
        ("Required in some requests", [field for field in wanted.fields if field.required_when]),
        ("Optional", [field for field in wanted.fields if not field.required and not field.required_when]),
    ):
        if fields:
            click.echo()
            show.out().print(title, style="bold")
            table.write((), [(f"  {field.name}", field.type, field.description) for field in fields], fold=True)
    key = wanted.fields[0].name
    show.err().print(f"\nDetails of a field: mlops explain {wanted.name}.{key}", style="dim")


def explain_field(wanted: PipelineType, field: Field) -> None:
    show.out().print(f"{wanted.name}.{field.name}", style="bold")
    click.echo(f"{field.description}\n")
    table.write((), [(f"  {name}", value) for name, value in facts_of(field)], fold=True)
    if field.keys:
        click.echo("\nKeys of the object")
        table.write((), [(f"  {key.name}", key.type, in_short(key)) for key in field.keys], fold=True)
    if field.versions:
        click.echo("\nFrameworks and their versions")
        table.write((), [(f"  {name}", ", ".join(versions)) for name, versions in field.versions.items()], fold=True)


def in_short(key: Field) -> str:
    """A key of an object on one line."""
    needed = " Required." if key.required else ""
    default = f" Default: {json.dumps(key.default, ensure_ascii=False)}." if key.default is not None else ""
    allowed = f" One of {', '.join(map(str, key.allowed))}." if key.allowed else ""
    return f"{key.description}{allowed}{needed}{default}"


def facts_of(field: Field) -> Iterator[tuple[str, str]]:
    schema = field.schema
    yield "Type", field.type
    yield "Required", "yes" if field.required else "no" if not field.required_when else "in some requests"
    for when in field.required_when:
        yield "Required when", when
    if not field.required:
        yield "Default", "none" if field.default is None else json.dumps(field.default, ensure_ascii=False)
    if field.allowed:
        yield "Allowed values", ", ".join(str(value) or '""' for value in field.allowed)
    for name, least, most in (
        ("Range", "minimum", "maximum"),
        ("Length", "minLength", "maxLength"),
        ("Items", "minItems", "maxItems"),
        ("Entries", "minProperties", "maxProperties"),
    ):
        if least in schema and most in schema:
            yield name, f"{schema[least]} to {schema[most]}"
        elif most in schema:
            yield name, f"at most {schema[most]}"
        elif least in schema:
            yield name, f"at least {schema[least]}"
    if field.example is not None:
        yield "Example", json.dumps(field.example, ensure_ascii=False)
    if aliases := schema.get("x-aliases"):
        yield "Also accepted as", ", ".join(aliases)
    if schema.get("x-per-stage"):
        yield "Per stage", '{"dev": …, "staging": …, "prod": …} in a multi-account deployment'
    for rule in field.rules:
        yield "Rule", rule
