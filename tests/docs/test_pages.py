# SPDX-License-Identifier: Apache-2.0
"""Every page: its links lead somewhere, its commands exist, its generated parts are current, its JSON is JSON."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from mlops.cli import main
from mlops.demo.__main__ import demo
from mlops.deploy.template import load
from tools.docs import generated
from tools.docs.pages import renewed

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("blueprints/*/README.md")])
FOLDERS = ("orchestrator", "source", "tests", "docs", "deployment", "blueprints")
BUILT = ("deployment/global-s3-assets", "deployment/regional-s3-assets")

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def fences(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def inline(text: str) -> list[str]:
    """What stands in backticks, outside fences."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(
    ("name", "parts"), generated(ROOT).items(), ids=lambda one: one if isinstance(one, str) else ""
)
def test_generated_parts_are_what_make_docs_writes(name: str, parts: dict[str, str]) -> None:
    text = (ROOT / "docs" / name).read_text("utf-8")
    for part, content in parts.items():
        assert renewed(text, part, content) == text, f"{part}: run `make docs`"


@page
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if not target.startswith(("https://", "http://")):
            assert (path.parent / target.split("#")[0]).exists(), target


@page
def test_files_that_are_named_exist(path: Path) -> None:
    for name in inline(path.read_text("utf-8")):
        if name.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and not re.search(r"[<… ]", name):
            assert name in BUILT or list(ROOT.glob(name.rstrip("/"))), name


@page
def test_examples_are_json(path: Path) -> None:
    for text in fences(path.read_text("utf-8"), "json"):
        json.loads(text)


def commands() -> Iterator[tuple[Path, str]]:
    for path in PAGES:
        text = path.read_text("utf-8")
        lines = [line for fence in fences(text, "") for line in fence.splitlines()] + inline(text)
        for line in lines:
            bare = line.split("#")[0].strip()
            if bare.startswith(("mlops ", "make ", "python -m mlops", "deployment/build-s3-dist.sh ")):
                yield path, bare


@pytest.mark.parametrize(("path", "line"), list(commands()), ids=lambda one: one if isinstance(one, str) else one.stem)
def test_a_command_exists_as_it_is_written(path: Path, line: str) -> None:
    program, *words = shlex.split(line)
    if program == "make":
        assert_target(words[0])
    elif program == "mlops":
        assert_command(main, words)
    elif program == "python":
        assert words[:2] == ["-m", "mlops.demo"] or words[1].startswith("mlops.")
        assert (ROOT / "source" / words[1].replace(".", "/")).exists() or (
            ROOT / "source" / f"{words[1].replace('.', '/')}.py"
        ).exists()
        if words[1] == "mlops.demo":
            assert_command(demo, words[2:])
    else:
        assert (ROOT / program).exists()


def assert_target(target: str) -> None:
    assert re.search(rf"^{re.escape(target)}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE), target


def assert_command(command: click.Command, words: list[str]) -> None:
    """Its subcommand, options and files exist."""
    options = {name for option in command.params for name in option.opts}
    while isinstance(command, click.Group) and words and not words[0].startswith("-") and words[0] != "…":
        assert words[0] in command.commands, words[0]
        command, words = command.commands[words[0]], words[1:]
        options |= {name for option in command.params for name in option.opts}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in options, word
        elif (
            "/" in word and not word.startswith("~") and not re.fullmatch(r"[\w-]+/\d+", word)
        ):  # not a model's version
            assert (ROOT / word).exists(), word


def test_every_target_is_in_the_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (declared,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    for target in declared.split():
        assert_target(target)


def test_every_parameter_of_the_main_template_has_a_description() -> None:
    for name, parameter in load(ROOT / "deployment" / "templates" / "parameters.yaml")["Parameters"].items():
        assert parameter.get("Description"), name
