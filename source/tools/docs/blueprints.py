# SPDX-License-Identifier: Apache-2.0
"""What docs/adding-a-blueprint.md shows: a whole blueprint, the parts of _parts, the kinds of jobs."""

from __future__ import annotations

from pathlib import Path

from chalicelib.job_kinds import JOB_KINDS
from mlops.templates.folder import PARTS, read_parts
from mlops.templates.job_states import longest_name

from tools.docs.pages import PageError, table

EXAMPLE = Path("tests") / "catalogue" / "scheduled_training"  # which tests/api drops into a catalogue, and runs
_LANGUAGES = {".yaml": "yaml", ".json": "json"}


def example(root: Path, name: str) -> str:
    """A file of the example, as a block of code."""
    path = root / EXAMPLE / name
    return f"```{_LANGUAGES[path.suffix]}\n{path.read_text('utf-8').strip()}\n```"


def parts_table(root: Path) -> str:
    """The parts that a template can include, each with the first sentence of its comment."""
    folder = root / "blueprints" / PARTS
    rows = [[f"`{name}`", _first_sentence(folder / f"{name}.yaml")] for name in read_parts(root / "blueprints").pieces]
    return table(["part", "what it is"], rows)


def kinds_table() -> str:
    """The kinds of jobs that RunJob runs."""
    rows = [
        [f"`{kind.key}`", kind.label, "`Role`" if kind.role else "`Model`", str(longest_name(kind)), f"`{kind.create}`"]
        for kind in JOB_KINDS.values()
    ]
    return table(["`Kind`", "what people read", "needs", "longest name", "`Arguments` of"], rows)


def _first_sentence(path: Path) -> str:
    lines: list[str] = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("# "):
            break
        lines.append(line.removeprefix("# "))
    text = " ".join(lines)
    if not text:
        raise PageError(f"{path.parent.name}/{path.name} does not begin with a descriptive comment")
    return text.partition(". ")[0].rstrip(".")
