# SPDX-License-Identifier: Apache-2.0
"""Writes predictions.json: what the real versions of xgboost predict for the cases in `cases`.

    python tests/local/xgboost/recorded/record.py

makes a throwaway environment, installs one version after the other from PyPI, and trains every case with it. It was run
on Linux x86_64 with Python 3.11; a new image version is a new line in VERSIONS. No test runs it.
"""

from __future__ import annotations

import collections
import collections.abc
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import cases

VERSIONS = {  # image version -> the xgboost in it, as sagemaker-xgboost-container's Dockerfiles install it
    "latest": "0.72.1",
    "0.90-2": "0.90",
    "1.0-1": "1.0.0",
    "1.2-2": "1.2.0",
    "1.3-1": "1.3.3",
    "1.5-1": "1.5.2",
    "1.7-1": "1.7.4",
    "3.0-5": "3.0.5",
    "3.2-0": "3.2.0",
}
_BESIDE = ("numpy==1.26.4", "scipy==1.11.4", "pandas==2.1.4")  # the oldest versions know no newer ones
_WHOLE_NUMBERS = ("num_class", "num_parallel_tree")  # early Python packages calculate with them


def record() -> None:
    """Ask every version, and write what they answer."""
    found: dict[str, dict[str, Any]] = {name: {} for name in cases.CASES}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        venv.create(folder / "venv", with_pip=True)
        python = str(folder / "venv" / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", *_BESIDE], check=True)
        for image, version in VERSIONS.items():
            packages = folder / version
            subprocess.run(
                [
                    python,
                    "-m",
                    "pip",
                    "install",
                    "-q",
                    "--no-deps",
                    "--only-binary",
                    ":all:",
                    "--target",
                    str(packages),
                    f"xgboost=={version}",
                ],
                check=True,
            )
            answer = subprocess.run(
                [python, __file__, "--ask"],
                check=True,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(packages)},
            ).stdout
            for name, result in json.loads(answer).items():
                found[name][image] = result
            print(f"xgboost {version}", file=sys.stderr)
    lines = [
        f" {json.dumps(name)}: [\n  " + ",\n  ".join(json.dumps(one) for one in _merged(results)) + "\n ]"
        for name, results in found.items()
    ]
    (Path(__file__).parent / "predictions.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _merged(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Results with the images that share them; an image that refused the case has none."""
    merged: list[dict[str, Any]] = []
    for image, result in results.items():
        if result is None:
            continue
        same = next((one for one in merged if {**one, "images": None} == {**result, "images": None}), None)
        if same:
            same["images"].append(image)
        else:
            merged.append({"images": [image], **result})
    return merged


def ask() -> None:
    """Train every case with the xgboost at hand, and print its predictions and its last metric."""
    collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined]  xgboost 0.72 looks for it here
    import numpy as np
    import xgboost

    old = xgboost.__version__.startswith("0.")
    train, unseen = cases.training_rows(), xgboost.DMatrix(np.array(cases.unseen_rows(), np.float32))
    results: dict[str, Any] = {}
    for name, case in cases.CASES.items():
        parameters: dict[str, Any] = {**case.parameters, "nthread": 1, "silent" if old else "verbosity": int(old)}
        parameters.update({given: int(parameters[given]) for given in _WHOLE_NUMBERS if given in parameters})
        if xgboost.__version__.startswith("0.72") and case.parameters.get("objective") == "reg:squarederror":
            parameters["objective"] = "reg:linear"  # its name then
        matrix = xgboost.DMatrix(np.array(train, np.float32), label=np.array(cases.labels(case, train), np.float32))
        if case.groups:
            matrix.set_group([cases.ROWS // case.groups] * case.groups)
        metrics: dict[str, dict[str, list[float]]] = {}
        try:
            booster = xgboost.train(
                parameters, matrix, case.rounds, evals=[(matrix, "train")], evals_result=metrics, verbose_eval=False
            )
        except xgboost.core.XGBoostError as error:
            print(f"xgboost {xgboost.__version__}, {name}: {str(error)[:120]!r}", file=sys.stderr)
            results[name] = None
            continue
        ((metric, values),) = metrics["train"].items()
        results[name] = {
            "predictions": [float(f"{value:.6g}") for value in booster.predict(unseen).ravel()],
            "metric": [metric, round(float(values[-1]), 4)],
        }
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    ask() if "--ask" in sys.argv else record()
