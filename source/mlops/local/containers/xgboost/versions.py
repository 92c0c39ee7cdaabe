# SPDX-License-Identifier: Apache-2.0
"""What training did by default in the xgboost of an image, where the xgboost installed here does otherwise.

    settings (as `hyperparameters.validate` gives them), version, rows -> settings to train with; what still differs

An image's tag names its version: `1.7-1` has xgboost 1.7 (sagemaker-xgboost-container, docker/1.7-1: 1.7.4). Sources of
the rows below: [2.0] and [3.1], xgboost's release notes of these versions; [1.3], what xgboost 1.3 prints itself when
training begins; [measured], the predictions in tests/local/xgboost/recorded, which hold all of this table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Version: TypeAlias = tuple[int, int]
Settings: TypeAlias = Mapping[str, Any]

INSTALLED: Version = (3, 0)
_FIRST: Version = (0, 72)  # xgboost:1 and xgboost:latest
_TAG = re.compile(r":(\d+)\.(\d+)(?:-[^/]*)?$")
_MANY_ROWS = 4_194_304  # more made `auto` approximate [xgboost 1.x, src/gbm/gbtree.cc]


def of_image(image_uri: str) -> Version:
    """The xgboost in an image; one known by its digest alone is taken for the one installed here."""
    found = _TAG.search(image_uri)
    if found:
        return int(found[1]), int(found[2])
    return INSTALLED if "@" in image_uri else _FIRST


def text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


# --- defaults ----------------------------------------------------------------------------------------------

_SINCE = {  # the first version that has an objective [measured, release notes]
    "reg:squarederror": (0, 83),
    "binary:hinge": (0, 80),
    "reg:squaredlogerror": (1, 0),
    "survival:aft": (1, 2),
    "reg:pseudohubererror": (1, 1),
    "reg:absoluteerror": (1, 7),
    "reg:quantileerror": (2, 0),
}
_METRICS: tuple[tuple[Version, str, str], ...] = (  # before this version, for these objectives
    ((1, 3), r"binary:logistic", "error"),  # [1.3]
    ((1, 3), r"multi:.*", "merror"),  # [1.3]
    ((1, 4), r"binary:logitraw", "auc"),  # [measured]
    ((2, 0), r"reg:gamma", "gamma-nloglik"),  # [2.0]
    ((2, 0), r"rank:map", "map"),  # [2.0]; for the other rankings too, which map takes no more
)


def unknown_objective(settings: Settings, version: Version) -> str | None:
    """Why a version has not got the objective that is asked for."""
    objective = settings.get("objective", "")
    since = _SINCE.get(objective)
    if since is None or version >= since:
        return None
    return f"objective {objective} is not in xgboost {text(version)}; it was added in {text(since)}"


def metric(settings: Settings, version: Version) -> str | None:
    """The metric that a version reports when none is asked for; None where that is the same today."""
    objective = settings.get("objective", "reg:squarederror")
    return next((name for before, which, name in _METRICS if version < before and re.fullmatch(which, objective)), None)


def defaults(settings: Settings, version: Version, rows: int) -> dict[str, Any]:
    """The settings, with what a version took for granted written out."""
    filled = dict(settings)
    objective = settings.get("objective", "reg:squarederror")
    if version < (2, 0):
        if objective != "reg:absoluteerror":  # its start was estimated from the beginning [2.0]
            filled.setdefault("base_score", 0.5)  # estimated from the labels since [2.0]
        trees = settings.get("booster", "gbtree") != "gblinear" and settings.get("process_type") != "update"
        if trees and "updater" not in settings and settings.get("tree_method", "auto") == "auto":
            filled["tree_method"] = "approx" if rows > _MANY_ROWS else "exact"  # hist since [2.0]
    return filled


# --- what still differs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """In versions from `since` up to `before`, a model trained with such settings is another than here."""

    since: Version
    before: Version
    when: Callable[[Settings], bool]
    what: str


def _below_one(*names: str) -> Callable[[Settings], bool]:
    return lambda settings: any(settings.get(name, 1) < 1 for name in names)


def _objective(pattern: str) -> Callable[[Settings], bool]:
    return lambda settings: re.fullmatch(pattern, settings.get("objective", "")) is not None


def _method(name: str) -> Callable[[Settings], bool]:
    return lambda settings: settings.get("tree_method") == name


_NEVER: Version = (99, 0)
DIFFERENCES = (
    Difference((0, 0), (2, 0), _below_one("subsample"), "subsample draws other rows"),
    Difference(
        (0, 0),
        (1, 5),
        _below_one("colsample_bytree", "colsample_bylevel", "colsample_bynode"),
        "colsample_* draws other columns",
    ),
    Difference((0, 0), (2, 0), _objective("rank:.*"), "ranking forms other pairs"),
    Difference((0, 0), (1, 2), _method("hist"), "tree_method hist uses other bins"),
    Difference((0, 0), (1, 6), _method("approx"), "tree_method approx proposes other splits"),
    Difference((0, 0), (1, 6), _objective("survival:cox"), "survival:cox has other gradients"),
    Difference((0, 0), (1, 3), _objective("binary:logitraw"), "binary:logitraw has other gradients"),
    Difference((0, 0), (1, 3), _objective("reg:pseudohubererror"), "reg:pseudohubererror has other gradients"),
    Difference(
        (0, 0),
        (1, 0),
        lambda settings: settings.get("booster") == "dart" and settings.get("rate_drop", 0) > 0,
        "dart drops other trees",
    ),
    Difference((0, 0), (0, 90), _objective("reg:tweedie"), "reg:tweedie has other gradients"),
    Difference(
        (0, 0),
        (0, 90),
        lambda settings: "interaction_constraints" in settings,
        "interaction_constraints are ignored",
    ),
    Difference((3, 1), _NEVER, _objective("multi:.*"), "training starts with the class frequencies"),
)


def differences(settings: Settings, version: Version) -> list[str]:
    """In which ways a version would train another model on these settings."""
    return [one.what for one in DIFFERENCES if one.since <= version < one.before and one.when(settings)]
