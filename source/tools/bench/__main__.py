# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measures what we promise against references in the same run, and writes docs/performance.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from mlops.cli.building import build
from mlops.deploy.upload import REGIONAL_ASSETS
from mlops.source_tree import ROOT
from rich.console import Console

from tools.bench import checking, cold, laptop, report, sizes, warm
from tools.bench.measures import Measure
from tools.bench.runtime import Package


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where to write (default: docs/)")
    parser.add_argument("--quick", action="store_true", help="fewer samples, to try the bench itself")
    options = parser.parse_args()
    processes, batches, times = (2, 2, 1) if options.quick else (15, 10, 5)
    measures: list[Measure] = []
    with tempfile.TemporaryDirectory() as folder, Console(stderr=True).status("building") as status:
        built = build(Path(folder) / "built", "mlops-distribution")
        zipped = built.folder / REGIONAL_ASSETS / "orchestrator.zip"
        package = Package.unzipped(zipped, Path(folder) / "function")
        parts: dict[str, Callable[[], Iterator[Measure]]] = {
            "starting fresh processes": lambda: cold.measure(package, processes),
            "asking for pipelines": lambda: warm.measure(package, batches),
            "checking requests": lambda: checking.measure(package.root / "chalicelib" / "catalog", batches),
            "running the account on this laptop": lambda: laptop.measure(built, package, times),
            "weighing what ships": lambda: sizes.measure(built.folder),
        }
        for name, measure in parts.items():
            status.update(name)
            measures += measure()
    report.write(measures, options.out)
    report.show(measures)
    sys.exit(any(measure.met is False for measure in measures))


if __name__ == "__main__":
    main()
