# SPDX-License-Identifier: Apache-2.0
"""Whatever is deleted from a blueprint folder, or put there by mistake: it compiles, or is refused by its name."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlops.templates import BlueprintError, cfn_yaml, compile_catalog

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
BLUEPRINT = "model_training"
ODD = [None, 7, 1.5, "x", "(", "/x", True, [], {}, ["a"], [None], [[1]], {"Ref": "x"}, {"a": None}]
Place = tuple[Any, ...]


def places(tree: Any, path: Place = ()) -> Iterator[Place]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(tree: Any, chance: random.Random) -> Any:
    """The tree with one thing in it deleted, or replaced by something odd."""
    tree = copy.deepcopy(tree)
    *above, last = chance.choice(list(places(tree)))
    at = tree
    for key in above:
        at = at[key]
    if chance.random() < 0.4:
        del at[last]
    else:
        at[last] = chance.choice(ODD)
    return tree


def fuzz(folder: Path, seed: int, count: int) -> None:
    chance = random.Random(seed)
    own = shutil.copytree(BLUEPRINTS / BLUEPRINT, folder / "blueprints" / BLUEPRINT)
    shutil.copytree(BLUEPRINTS / "_parts", folder / "blueprints" / "_parts")
    whole = {path: path.read_text("utf-8") for path in sorted(own.glob("*.*")) if path.suffix in (".yaml", ".json")}
    trees = {path: cfn_yaml.load(text) for path, text in whole.items()}  # JSON is YAML
    for _ in range(count):
        path = chance.choice(list(trees))
        tree = changed(trees[path], chance)
        path.write_text(json.dumps(tree) if path.suffix == ".json" else cfn_yaml.dump(tree), "utf-8")
        told = BLUEPRINT
        try:
            compile_catalog(folder / "blueprints", folder / "out")
        except BlueprintError as refused:
            told = str(refused)
        assert told.startswith(BLUEPRINT)
        path.write_text(whole[path], "utf-8")


def test_a_changed_folder_compiles_or_is_refused(tmp_path: Path) -> None:
    fuzz(tmp_path, seed=1, count=60)


@pytest.mark.slow
def test_very_many_changed_folders_compile_or_are_refused(tmp_path: Path) -> None:
    fuzz(tmp_path, seed=2, count=3_000)
