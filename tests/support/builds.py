# SPDX-License-Identifier: Apache-2.0
"""What is built once for all processes of a test run, by the first that needs it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlops.deploy.build import Distribution, Sources
from mlops.deploy.build import build as build_distribution

DISTRIBUTION = Distribution("a-distribution-bucket", "mlops-orchestrator", "v0")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of this test run, filled by `make` in whichever process asks for it first."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, part = shared / name, shared / f"{name}.part"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            make(part)
            part.rename(folder)
    return folder


def build(out: Path, blueprints: Path | None = None) -> Path:
    """The build that AWS gets, from this source tree."""
    build_distribution(DISTRIBUTION, out, Sources(blueprints=blueprints) if blueprints else None)
    return out
