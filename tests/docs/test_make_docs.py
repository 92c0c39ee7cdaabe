# SPDX-License-Identifier: Apache-2.0
"""`make docs` renews what is generated, or says in one line which file is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tools.docs.__main__ import main as docs
from tools.docs.blueprint_readmes import BEGIN
from tools.docs.blueprint_readmes import main as readme

ROOT = Path(__file__).parents[2]
README = "blueprints/model_training/README.md"
MANIFEST = "blueprints/model_training/blueprint.yaml"
SCHEMA = "blueprints/model_training/request.schema.json"
PARTS = ("blueprints", "docs", "deployment", "tests/catalogue")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in PARTS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*-assets"))
    return tmp_path


def ran(root: Path) -> Result:
    """`make docs`, as the Makefile has it: what fails ends it."""
    first = CliRunner().invoke(readme, ["--blueprints", str(root / "blueprints")])
    return first if first.exit_code else CliRunner().invoke(docs, ["--root", str(root)])


def test_it_renews_what_is_generated(root: Path) -> None:
    path = root / "blueprints" / "model_training" / "README.md"
    whole = path.read_text("utf-8")
    path.write_text(whole.replace("| `training_data` |", "| `old` |"), "utf-8")
    page = root / "docs" / "architecture.md"
    told = page.read_text("utf-8")
    page.write_text(told.replace("| ready |", "| old |"), "utf-8")
    assert ran(root).exit_code == 0
    assert (path.read_text("utf-8"), page.read_text("utf-8")) == (whole, told)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (README, BEGIN, "<!-- fields -->", f"model_training/README.md: has no lines {BEGIN}"),
        (README, "<!-- end of fields", "<!-- end", "model_training/README.md: has no lines"),
        (README, None, None, "model_training/README.md is missing"),
        (MANIFEST, "summary:", "summary: [", "model_training/blueprint.yaml: while"),
        (MANIFEST, "run: true", "rum: true", "model_training/blueprint.yaml: /rum is"),
        (MANIFEST, "pipeline_types:", "types:", "blueprint.yaml: /pipeline_types is miss"),
        (SCHEMA, '"properties"', '"props"', "schema.json: has no properties"),
        (SCHEMA, "{", "[", "model_training/request.schema.json: "),
        ("blueprints/model_training/template.yaml", None, None, "model_training: template.yaml is missing"),
        ("blueprints/_parts/definitions.yaml", "model_name:", "model_nam:", "no definition '#/$defs/model_name'"),
        ("docs/architecture.md", "<!-- phases", "<!-- phase", "docs/architecture.md: has no lines <!-- phases"),
        ("docs/installing.md", None, None, "docs/installing.md is missing"),
        ("deployment/templates/parameters.yaml", "Parameters:", "Parameters: [", "parameters.yaml: while"),
        ("deployment/templates/parameters.yaml", "Description:", "Descr:", "parameters.yaml: Parameters/"),
        ("deployment/templates/outputs.yaml", "Outputs:", "Output:", "outputs.yaml has no Outputs"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_that_names_the_file(
    root: Path, file: str, old: str | None, new: str | None, told: str
) -> None:
    path = root / file
    if old is None or new is None:
        path.unlink()
    else:
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")
    failed = ran(root)
    assert isinstance(failed.exception, SystemExit), failed.exception
    assert failed.exit_code == 1
    assert failed.stderr.count("\n") == 1
    assert told in failed.stderr
