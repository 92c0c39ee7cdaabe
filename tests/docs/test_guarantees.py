# SPDX-License-Identifier: Apache-2.0
"""docs/guarantees.md names tests that exist, for every promise."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
PROMISES = re.findall(r"^- (.*?)(?=^- |^$)", PAGE.split("## What requires AWS")[0], re.MULTILINE | re.DOTALL)
NAMED = sorted(
    (path, name)
    for path, names in re.findall(r"- `(tests/[\w/]+\.py)`:((?:[\s,]+`\w+`)+)", PAGE)
    for name in re.findall(r"`(\w+)`", names)
)


@cache
def defined_in(path: str) -> set[str]:
    module = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in module.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda one: one.rpartition("/")[2])
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    assert name in defined_in(path)


def test_every_name_of_a_test_was_found() -> None:
    assert len(NAMED) == len(re.findall(r"`test_\w+`", PAGE))


@pytest.mark.parametrize("promise", PROMISES, ids=lambda text: text[:60])
def test_every_promise_is_shown(promise: str) -> None:
    assert "`test_" in promise or "`make bench`" in promise


def test_every_folder_of_tests_shows_something() -> None:
    folders = {str(path.parent.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}
    assert folders == {path.rpartition("/")[0] for path, _ in NAMED}
