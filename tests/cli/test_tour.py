# SPDX-License-Identifier: Apache-2.0
"""`make tour`, whole: every pipeline type in one laptop account."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.environments import without_aws


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_tour_trains_compares_and_deploys_models_and_says_what_a_laptop_cannot_do() -> None:
    command = [sys.executable, "-m", "mlops.demo", "--tour"]
    done = subprocess.run(command, capture_output=True, text=True, env=without_aws(), timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\w+) .* (\d+) of 69 .*%(  deployed)?$", done.stdout, re.MULTILINE)
    assert [name for name, _, _ in rows] == ["training", "tuning", "script", "autopilot"]
    assert all(int(right) >= 60 for _, right, _ in rows)
    [deployed] = [int(right) for _, right, where in rows if where]
    assert deployed == max(int(right) for _, right, _ in rows)
    assert "the endpoint's predictions are those of the batch transform" in done.stdout
    assert "no Docker" in done.stdout
