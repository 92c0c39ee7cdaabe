# SPDX-License-Identifier: Apache-2.0
"""docs/requests.md: its requests are accepted, and it has every key of every type."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from chalicelib.catalog import Catalog
from chalicelib.intake.check import check_request
from chalicelib.settings import Settings

from tests.support.blueprint_folders import ROOT

PAGE = (ROOT / "docs" / "requests.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
REQUESTS = [
    (name, number, body)
    for name, section in SECTIONS.items()
    for number, body in enumerate(re.findall(r"```json\n(.*?)```", section, re.DOTALL))
]


@pytest.mark.parametrize(("name", "number", "body"), REQUESTS, ids=[f"{name}-{number}" for name, number, _ in REQUESTS])
def test_every_request_is_accepted(name: str, number: int, body: str, catalog: Catalog, settings: Settings) -> None:
    registry = "model_package_name" in json.loads(body)
    checked = check_request(body.encode(), catalog, replace(settings, use_model_registry=registry), deployed=False)
    assert (checked.pipeline_type, checked.warnings) == (name, ())


def test_every_type_and_key_is_listed(catalog: Catalog) -> None:
    shipped = {name for name, blueprint in catalog.pipeline_types.items() if (ROOT / "blueprints" / blueprint).is_dir()}
    assert SECTIONS.keys() == shipped
    for name, section in SECTIONS.items():
        schemas = catalog.find(name).pipeline_types[name]["schemas"].values()
        keys = {key for one in schemas for key in one["properties"]} - {"pipeline_type", "rerun"}
        assert {key for key in keys if f"| `{key}` |" not in section} == set()
