# SPDX-License-Identifier: Apache-2.0
"""Rows in columns: nothing is cut at any width, and a moment is told in its largest unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from mlops.cli import listing, table
from rich.text import Text

LONG = "mlops-pipeline-" + "churn-" * 16 + "modeltraining"


@pytest.mark.parametrize("width", ["20", "80", "400"])
def test_no_cell_is_cut_or_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    table.write(("NAME", "TYPE"), [[Text(LONG), Text("x")], [Text("short"), Text("[b]")], [Text("none"), Text("")]])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{LONG}  x", f"{'short':<{len(LONG)}}  [b]", "none"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (86400 * 400, "400 d")]
)
def test_a_moment_is_told_in_its_largest_unit(seconds: int, words: str) -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    assert table.ago((now - timedelta(seconds=seconds)).isoformat(), now) == words


def test_what_never_ran_says_so() -> None:
    assert listing.last_run(None) == "never"
    assert listing.last_run({"status": "InProgress", "started": None}) == "in progress"
    assert table.ago(None) == ""
