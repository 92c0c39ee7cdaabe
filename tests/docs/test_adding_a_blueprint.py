# SPDX-License-Identifier: Apache-2.0
"""docs/adding-a-blueprint.md shows a manifest that would be taken, and names what there is to name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import yaml
from chalicelib.intake.lookups import LOOKUPS
from chalicelib.settings import for_blueprints

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-blueprint.md").read_text("utf-8")
MANIFEST = yaml.safe_load(PAGE.split("## blueprint.yaml: every key\n\n```yaml\n", 1)[1].split("```", 1)[0])
SCHEMA = json.loads((ROOT / "source" / "mlops" / "templates" / "manifest.schema.json").read_text("utf-8"))


def test_its_manifest_fits_the_schema_of_manifests() -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(MANIFEST)


def test_its_manifest_uses_every_key_there_is() -> None:
    assert set(MANIFEST) == set(SCHEMA["properties"])


def test_its_settings_exist() -> None:
    asked = {source["setting"] for source in MANIFEST["parameters"].values() if "setting" in source}
    assert asked <= set(for_blueprints())


def test_it_names_every_look_up() -> None:
    (listed,) = re.findall(r"lookups\.py`: ([^)]*)\)", PAGE)
    assert set(re.findall(r"`(\w+)`", listed)) == set(LOOKUPS)
