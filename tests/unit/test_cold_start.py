# SPDX-License-Identifier: Apache-2.0
"""A cold start imports what provisioning needs and no more, and garbage collection runs again afterwards."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest
from chalicelib.garbage import suspended

ORCHESTRATOR = Path(__file__).parents[2] / "orchestrator"
LATER = {
    "boto3",
    "jsonschema",
    "difflib",
    "zipfile",
    "concurrent.futures",
    "chalicelib.aws.model_cards",
    "chalicelib.intake.explain",
    "chalicelib.managing",
    "chalicelib.model_cards",
    "chalicelib.provisioning.resolve",
    "chalicelib.status",
}


def test_what_a_cold_start_does_not_need_is_not_imported() -> None:
    script = f"""
import gc, json, sys
sys.path[:0] = [{str(ORCHESTRATOR)!r}]
import app
print(json.dumps([gc.isenabled(), sorted(set(sys.modules) & set({sorted(LATER)!r}))]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, []]


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_again_after_loading(enabled: bool) -> None:
    if not enabled:
        gc.disable()
    try:
        with suspended():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
    finally:
        gc.enable()
        gc.unfreeze()
