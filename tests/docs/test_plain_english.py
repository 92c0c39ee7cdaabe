# SPDX-License-Identifier: Apache-2.0
"""Words that AWS's documentation does not use must not be in messages, help, descriptions and pages for users."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlops.templates import cfn_yaml

ROOT = Path(__file__).parents[2]
BANNED = re.compile(
    r"\b(anew|door|hear|hears|heeded|lend|lends|nobody|shall|somebody|stands twice|tell|tells|told|whoever|whose)\b",
    re.IGNORECASE,
)
CODE = sorted(
    path for folder in ("orchestrator", "source/functions", "source/mlops") for path in (ROOT / folder).rglob("*.py")
)
TEMPLATES = sorted([*(ROOT / "deployment").rglob("*.yaml"), *(ROOT / "blueprints").rglob("*.yaml")])
SCHEMAS = sorted((ROOT / "blueprints").rglob("request.schema.json"))
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "SECURITY.md",
        *(ROOT / "docs" / name for name in ("installing.md", "laptop.md", "performance.md")),
        *(ROOT / "blueprints").rglob("README.md"),
    ]
)
DESCRIBES = {"Description", "description", "summary", "hint", "title", "because", "ConstraintDescription"}


def odd(texts: Iterator[tuple[Any, str]]) -> list[str]:
    return [f"{where}: {found[0]!r} in {text!r}" for where, text in texts for found in BANNED.finditer(text)]


def messages(source: str) -> Iterator[tuple[int, str]]:
    """The strings of a module, and the docstrings of commands, which are their help."""
    module = ast.parse(source)
    hidden = {
        id(node.body[0].value)
        for node in ast.walk(module)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
        and not any("command" in ast.unparse(one) for one in getattr(node, "decorator_list", ()))
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in hidden:
            yield node.lineno, node.value


def descriptions(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The texts of a document that people read."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from descriptions(value, str(name))
    elif isinstance(node, list):
        for value in node:
            yield from descriptions(value, key)
    elif isinstance(node, str) and key in DESCRIBES:
        yield key, node


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_messages_and_help(path: Path) -> None:
    assert odd(messages(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_descriptions_in_templates(path: Path) -> None:
    assert odd(descriptions(cfn_yaml.load(path.read_text("utf-8")))) == []


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: str(path.relative_to(ROOT)))
def test_descriptions_of_fields(path: Path) -> None:
    assert odd(descriptions(json.loads(path.read_text("utf-8")))) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages(path: Path) -> None:
    assert odd(enumerate(path.read_text("utf-8").splitlines(), 1)) == []


def test_a_banned_word_is_found() -> None:
    assert odd(messages('raise Failure("The topic that hears how pipelines end")'))
    assert odd(messages('@click.command()\ndef run() -> None:\n    """Make it anew."""'))
    assert not odd(messages('def run() -> None:\n    """Whose it is."""\n    # told'))
    assert odd(descriptions({"properties": {"a": {"description": "Tells the job."}}}))
