# SPDX-License-Identifier: Apache-2.0
"""Whether xgboost can load a model and predict with it, found in a process of its own.

xgboost believes what a model file says of itself: one that is damaged, or made for the purpose, ends the process that
reads it, or predicts for ever. In: the bytes of a model. Out: why it cannot be served; nothing where it can.

    python -m mlops.local.containers.xgboost.check < xgboost-model

prints what is wrong, and exits with 1 where something is.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

_SECONDS = 60
_MOST_FEATURES, _MOST_CLASSES = 1_000_000, 10_000
_passed: set[str] = set()  # digests of models: an endpoint is updated and restarted with the same one


def problem(content: bytes) -> str:
    """Why a model cannot be served; empty where it can."""
    digest = hashlib.sha256(content).hexdigest()
    if digest in _passed:
        return ""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    try:
        checked = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=content,
            capture_output=True,
            env=environment,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"xgboost does not finish loading it within {_SECONDS} seconds"
    if checked.returncode < 0:
        return f"loading it terminates the process with {signal.Signals(-checked.returncode).name}"
    if checked.returncode:
        lines = checked.stdout.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "loading it terminates the process"
    _passed.add(digest)
    return ""


def main() -> int:
    import numpy as np
    import xgboost

    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(sys.stdin.buffer.read()))
        if wrong := next(_wrong(json.loads(booster.save_raw("json"))["learner"]), ""):
            print(wrong)
            return 1
        booster.set_param({"nthread": 1})
        for value in (np.nan, 0.0):
            row = np.full((1, booster.num_features()), value, np.float32)
            booster.predict(xgboost.DMatrix(row, nthread=1), validate_features=False)
    except xgboost.core.XGBoostError as error:
        print(str(error).split("Stack trace:")[0].strip().splitlines()[0])
        return 1
    return 0


def _wrong(learner: dict[str, Any]) -> Iterator[str]:
    """What xgboost would read or write outside of its memory for."""
    parameters, booster = learner["learner_model_param"], learner["gradient_booster"]
    features = int(parameters["num_feature"])
    groups = max(1, int(parameters["num_class"]), int(parameters.get("num_target", 1)))
    if features > _MOST_FEATURES or groups > _MOST_CLASSES:
        yield (
            f"it has {features:,} features and {groups:,} classes; the laptop account supports at most "
            f"{_MOST_FEATURES:,} and {_MOST_CLASSES:,}"
        )
    if booster["name"] == "gblinear":
        if len(booster["model"]["weights"]) != (features + 1) * groups:
            yield "the number of its weights does not match its features and classes"
        return
    model = booster.get("gbtree", booster)["model"]
    if len(booster.get("weight_drop", model["trees"])) != len(model["trees"]):
        yield "the number of its weights does not match its trees"
    if not all(0 <= group < groups for group in model["tree_info"]):
        yield "a tree refers to an unknown class"
    for number, tree in enumerate(model["trees"]):
        if why := _wrong_tree(tree, features):
            yield f"tree {number}: {why}"


def _wrong_tree(tree: dict[str, Any], features: int) -> str:
    left, right, splits = tree["left_children"], tree["right_children"], tree["split_indices"]
    inner = [node for node, child in enumerate(left) if child != -1]
    children = [child for node in inner for child in (left[node], right[node])]
    if not all(0 < child < len(left) for child in children) or len(set(children)) != len(children):
        return "its nodes do not form a tree"
    if not all(0 <= splits[node] < features for node in inner):
        return "it splits by an unknown feature"
    nodes, held = tree.get("categories_nodes", []), len(tree.get("categories", []))
    segments = zip(tree.get("categories_segments", []), tree.get("categories_sizes", []), strict=True)
    if any(node >= len(left) for node in nodes) or any(start + size > held for start, size in segments):
        return "it splits by unknown categories"
    return ""


if __name__ == "__main__":
    sys.exit(main())
