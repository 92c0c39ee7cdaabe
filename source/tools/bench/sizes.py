# SPDX-License-Identifier: Apache-2.0
"""Sizes of the built files, in bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlops.deploy.upload import GLOBAL_ASSETS, MAIN_TEMPLATE, REGIONAL_ASSETS

from tools.bench.measures import Goal, Measure, Samples

_GROUP = "Package sizes"


def measure(built: Path) -> Iterator[Measure]:
    for path in sorted((built / REGIONAL_ASSETS).glob("*.zip")):
        yield Measure(_GROUP, path.name, "B", _size(path), goal=Goal(1e6))
    yield Measure(
        _GROUP,
        "main template",
        "B",
        _size(built / GLOBAL_ASSETS / MAIN_TEMPLATE),
        Samples.of(1e6),
        "CloudFormation's limit",
    )


def _size(path: Path) -> Samples:
    return Samples.of(path.stat().st_size)
