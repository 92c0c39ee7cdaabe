# SPDX-License-Identifier: Apache-2.0
"""What holds for every blueprint folder: schema, manifest, template, examples and README agree."""

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake import validate
from chalicelib.intake.check import check_request
from chalicelib.intake.explain import explain
from chalicelib.intake.lookups import LOOKUPS
from chalicelib.planning import plan
from chalicelib.settings import Settings
from mlops.templates import cfn_yaml
from mlops.templates.folder import read_folders, read_parts
from mlops.templates.schema import Schema
from tools.docs.blueprint_readmes import fields_table, with_fields

from tests.support.blueprint_folders import EXAMPLES, FOLDERS, fields

TYPES = [
    (folder, name)
    for folder in FOLDERS
    for name in cfn_yaml.load((folder / "blueprint.yaml").read_text("utf-8"))["pipeline_types"]
]

each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
each_type = pytest.mark.parametrize(("folder", "pipeline_type"), TYPES, ids=[name for _, name in TYPES])
each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def _planned(path: Path, catalog: Catalog, settings: Settings) -> plan.Plan:
    settings = replace(settings, use_model_registry=".registry" in path.name)
    return plan.make(check_request(path.read_bytes(), catalog, settings), settings, catalog)


@each_type
def test_every_type_has_an_example(folder: Path, pipeline_type: str) -> None:
    assert (folder / "examples" / f"{pipeline_type}.json").exists()


@each_example
def test_an_example_makes_a_plan_that_its_template_takes(path: Path, catalog: Catalog, settings: Settings) -> None:
    planned = _planned(path, catalog, settings)
    template = cfn_yaml.load(catalog.blueprint(path.parent.parent.name).template)
    parameters = planned.stages[0].parameters if planned.stages else planned.delivery_parameters
    assert set(parameters) == set(template["Parameters"])
    for name, declaration in template["Parameters"].items():
        value = parameters[name]
        if declaration["Type"] == "Number":
            assert declaration.get("MinValue", 0) <= int(value) <= declaration.get("MaxValue", int(value)), name
        assert value in declaration.get("AllowedValues", [value]), name
        if "AllowedPattern" in declaration:
            assert re.fullmatch(declaration["AllowedPattern"], value), name


@each_folder
def test_every_parameter_is_used(folder: Path, catalog: Catalog) -> None:
    template = cfn_yaml.load(catalog.blueprint(folder.name).template)
    text = json.dumps({key: template[key] for key in ("Resources", "Outputs", "Conditions") if key in template})
    unused = [
        name for name in template["Parameters"] if f'{{"Ref": "{name}"}}' not in text and f"${{{name}}}" not in text
    ]
    assert unused == []


@each_folder
def test_every_field_becomes_a_parameter(folder: Path, catalog: Catalog) -> None:
    blueprint = catalog.blueprint(folder.name)
    described = fields(folder)
    read = {source["from"] for source in blueprint.parameters.values() if "from" in source}
    asked = [LOOKUPS[source["lookup"]] for source in blueprint.parameters.values() if "lookup" in source]
    by_lookup = {pointer.removeprefix("/") for one in asked for pointer in one.fields}
    resolved = {key for key, one in described.items() if "x-resolves" in one}
    elsewhere = {blueprint.identity.removeprefix("/"), *resolved, *by_lookup}
    assert [place for key in described.keys() - elsewhere for place in _unread(f"/{key}", described[key], read)] == []


def _unread(path: str, field: Schema, read: set[str]) -> list[str]:
    """The places in a field that no parameter comes from: itself, or those in it that none comes from."""
    if path in read:
        return []
    inner = field.get("properties", {})
    return [place for key, one in inner.items() for place in _unread(f"{path}/{key}", one, read)] if inner else [path]


@each_folder
def test_the_readme_tells_of_every_type_and_field(folder: Path, catalog: Catalog, blueprints: Path) -> None:
    readme = (folder / "README.md").read_text("utf-8")
    parts = read_parts(blueprints)
    (read,) = [one for one in read_folders(blueprints) if one.name == folder.name]
    assert with_fields(readme, fields_table(read, parts)) == readme, "run `make docs`"
    assert [name for name in catalog.blueprint(folder.name).pipeline_types if f"`{name}`" not in readme] == []


@each_example
def test_both_validators_agree_on_every_broken_field(path: Path, catalog: Catalog, settings: Settings) -> None:
    """The generated validator and jsonschema come from one schema: what one refuses, so does the other."""
    body = json.loads(path.read_bytes())
    blueprint = catalog.find(body["pipeline_type"])
    variant, schema = blueprint.schema(body["pipeline_type"], ".registry" in path.name)
    check = catalog.validator(body["pipeline_type"], variant)
    for key in [*schema["properties"], "unheard_of"]:
        for value in (
            None,
            0,
            -1,
            1.5,
            10**12,
            True,
            "",
            "x",
            "a b",
            "../x",
            "s3://b/k",
            "é" * 2000,
            [],
            [1],
            {},
            {"a": {}},
            f"{body.get(key)}\n",
        ):
            broken = {**body, key: value}
            try:
                check(broken)
                fast = True
            except validate.Mismatch:
                fast = False
            assert fast == jsonschema.Draft202012Validator(schema).is_valid(broken), (key, value)
            if not fast:
                assert explain(broken, schema), (key, value)


@each_type
def test_every_missing_key_is_told_at_once(
    folder: Path, pipeline_type: str, catalog: Catalog, settings: Settings
) -> None:
    for registry in (False, True):
        _, schema = catalog.blueprint(folder.name).schema(pipeline_type, registry)
        with pytest.raises(BadRequest) as refused:
            check_request(
                json.dumps({"pipeline_type": pipeline_type}).encode(),
                catalog,
                replace(settings, use_model_registry=registry),
            )
        told = [problem.path for problem in refused.value.problems]
        needed = [*schema["required"], *(key for one in schema.get("allOf", []) for key in one["else"]["required"])]
        assert told == sorted(f"/{key}" for key in needed if key != "pipeline_type")
        assert all(problem.hint for problem in refused.value.problems)
