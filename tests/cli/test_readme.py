# SPDX-License-Identifier: Apache-2.0
"""README's example, run as printed: it trains, serves and invokes a model, with the request files shown there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlops.demo import story
from mlops.sample import dataset

from tests.support.environments import without_aws

ROOT = Path(__file__).parents[2]
WALKTHROUGH = (ROOT / "README.md").read_text("utf-8").split("## Example\n", 1)[1].split("\n## ", 1)[0]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", WALKTHROUGH, re.DOTALL | re.MULTILINE)
FIRST, *OTHERS = [text for language, text in BLOCKS if not language]  # the first terminal's commands, the second's


def typed(commands: str) -> list[str]:
    """A shell that stops at the first command that fails, where `make setup` need not have made .venv."""
    here = f'export PATH={Path(sys.executable).parent}:"$PATH"'
    return [
        "bash",
        "-euo",
        "pipefail",
        "-c",
        re.sub(r"^source .venv/bin/activate.*$", here, commands, flags=re.MULTILINE),
    ]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of the second terminal, while the first runs its commands."""
    environment = without_aws() | {"XDG_RUNTIME_DIR": str(tmp_path)}  # of this test's accounts alone
    first = FIRST.replace("local up", "local up --port 0")  # the usual port may be in use
    with subprocess.Popen(
        typed(first), cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as up:
        assert up.stdout
        for line in up.stdout:
            if "Press Ctrl-C" in line:
                break
        yield environment
        os.killpg(up.pid, signal.SIGINT)
        assert up.wait(30) == 0


def test_the_walkthrough_trains_serves_and_asks(terminal: dict[str, str]) -> None:
    done = subprocess.run(typed("".join(OTHERS)), cwd=ROOT, env=terminal, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    predictions = [float(number) for number in re.split(r"[,\s]+", done.stdout.strip())[-3:]]
    assert [prediction > 0.5 for prediction in predictions] == [row.malignant for row in dataset.load().unseen[:3]]


def test_the_walkthrough_shows_its_request_files() -> None:
    shown = [text for language, text in BLOCKS if language == "json"]
    for name in ("training", "realtime"):
        assert (story.REQUESTS / f"{name}.json").read_text("utf-8") in shown
    rows = (story.REQUESTS.parent / "rows.csv").read_bytes()
    assert rows == dataset.unlabelled(dataset.load().unseen[:3])
