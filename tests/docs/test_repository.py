# SPDX-License-Identifier: Apache-2.0
"""What hosts and editors read of this repository names things that exist."""

import configparser
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlops.source_tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*_*.yml"))


def read(path: Path) -> Any:
    # GitHub's YAML is 1.2, where `on` is a text and not true.
    return yaml.load(path.read_text("utf-8"), yaml.BaseLoader)


def steps() -> Iterator[dict[str, Any]]:
    for workflow in WORKFLOWS:
        for job in read(workflow)["jobs"].values():
            yield from job["steps"]


def test_the_workflows_run_targets_and_tests_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = [step["run"].split() for step in steps() if "run" in step]
    assert ["make", "test"] in commands
    for program, *arguments in commands:
        if program == "make":
            assert re.search(rf"^{arguments[0]}:.*## ", makefile, re.MULTILINE), arguments
        else:
            assert (program, *arguments[:2]) == (".venv/bin/python", "-m", "pytest")
            assert all((ROOT / path).exists() for path in arguments[2:]), arguments


def test_the_workflows_may_only_read_and_their_actions_are_pinned() -> None:
    assert WORKFLOWS
    assert all(read(workflow)["permissions"] == {"contents": "read"} for workflow in WORKFLOWS)
    actions = [step["uses"] for step in steps() if "uses" in step]
    assert all(re.fullmatch(r"[\w./-]+@(v\d+|[0-9a-f]{40})", action) for action in actions), actions


def test_every_python_that_is_declared_is_tested() -> None:
    (matrix,) = [job["strategy"]["matrix"] for job in read(WORKFLOWS[0])["jobs"].values() if "strategy" in job]
    classifier = "Programming Language :: Python :: "
    declared = [one.removeprefix(classifier) for one in PROJECT["project"]["classifiers"] if classifier in one]
    assert matrix["python"] == declared
    assert PROJECT["project"]["requires-python"] == f">={declared[0]}"


def test_updates_are_looked_for_where_requirements_are() -> None:
    for update in read(ROOT / ".github" / "dependabot.yml")["updates"]:
        if update["package-ecosystem"] == "pip":
            assert (ROOT / update["directory"].strip("/") / "requirements.txt").is_file()


def test_hooks_run_what_setup_installs() -> None:
    installed = {re.split(r"\W", one)[0] for one in PROJECT["dependency-groups"]["lint"]}
    (local,) = [one for one in read(ROOT / ".pre-commit-config.yaml")["repos"] if one["repo"] == "local"]
    for hook in local["hooks"]:
        assert hook["entry"].split()[0].removeprefix(".venv/bin/") in installed


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_asks_each_question_once(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    ids = [one["id"] for one in form["body"] if "id" in one]
    assert ids
    assert len(ids) == len(set(ids))


def test_the_editor_is_told_the_line_length_that_is_checked() -> None:
    config = configparser.ConfigParser()
    config.read_string(f"[top]\n{(ROOT / '.editorconfig').read_text('utf-8')}")
    assert config["*.py"].getint("max_line_length") == PROJECT["tool"]["ruff"]["line-length"]
