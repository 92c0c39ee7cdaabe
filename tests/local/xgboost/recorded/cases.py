# SPDX-License-Identifier: Apache-2.0
"""Training jobs whose predictions are compared between versions of xgboost: data, parameters, rounds.

Only the standard library, so that it runs beside any version. The data come from `random.Random`, whose streams are
the same in every Python.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

ROWS, UNSEEN, WIDTH = 300, 8, 6
Row = list[float]
NAN = float("nan")


@dataclass(frozen=True)
class Case:
    label: str
    parameters: dict[str, str]  # hyperparameters as SageMaker takes them
    rounds: int = 20
    groups: int = 0  # rows are ranked within so many groups of one size


CASES = {
    "regression": Case("number", {"objective": "reg:squarederror"}, 50),
    "shallow regression": Case(
        "number", {"objective": "reg:squarederror", "max_depth": "3", "eta": "0.1", "lambda": "2", "alpha": "0.5"}
    ),
    "no objective": Case("number", {"gamma": "1", "min_child_weight": "4"}),
    "binary": Case("flag", {"objective": "binary:logistic"}),
    "weighted binary": Case(
        "flag", {"objective": "binary:logistic", "scale_pos_weight": "3", "max_delta_step": "1", "max_depth": "4"}
    ),
    "margins": Case("flag", {"objective": "binary:logitraw"}),
    "probabilities": Case("share", {"objective": "reg:logistic"}),
    "classes": Case("kind", {"objective": "multi:softprob", "num_class": "3"}),
    "counts": Case("count", {"objective": "count:poisson"}),
    "gamma": Case("positive", {"objective": "reg:gamma"}),
    "tweedie": Case("positive", {"objective": "reg:tweedie"}),
    "given base score": Case("number", {"objective": "reg:squarederror", "base_score": "100"}),
    "exact": Case("number", {"objective": "reg:squarederror", "tree_method": "exact"}),
    "hist": Case("number", {"objective": "reg:squarederror", "tree_method": "hist"}),
    "coarse hist": Case("flag", {"objective": "binary:logistic", "tree_method": "hist", "max_bin": "16"}),
    "by loss": Case(
        "number",
        {"objective": "reg:squarederror", "tree_method": "hist", "grow_policy": "lossguide", "max_leaves": "8"},
    ),
    "approx": Case("number", {"objective": "reg:squarederror", "tree_method": "approx"}),
    "monotone": Case("number", {"objective": "reg:squarederror", "monotone_constraints": "(1,0,0,0,0,0)"}),
    "forest": Case("number", {"objective": "reg:squarederror", "num_parallel_tree": "2"}),
    "dart": Case("number", {"objective": "reg:squarederror", "booster": "dart"}),
    "dropping dart": Case("number", {"booster": "dart", "rate_drop": "0.3", "seed": "7"}),
    "linear": Case("number", {"objective": "reg:squarederror", "booster": "gblinear", "updater": "coord_descent"}),
    "sampled": Case("flag", {"objective": "binary:logistic", "subsample": "0.7", "seed": "7"}),
    "some columns": Case("flag", {"objective": "binary:logistic", "colsample_bytree": "0.5", "seed": "7"}),
    "lossguide": Case("number", {"objective": "reg:squarederror", "grow_policy": "lossguide"}),
    "lossguide, few leaves": Case("number", {"grow_policy": "lossguide", "max_leaves": "6"}),
    "few leaves": Case("number", {"max_leaves": "6"}),
    "few bins": Case("number", {"max_bin": "8"}),
    "interactions": Case("number", {"interaction_constraints": "[[0,1],[2,3,4,5]]"}),
    "hinge": Case("flag", {"objective": "binary:hinge"}),
    "softmax": Case("kind", {"objective": "multi:softmax", "num_class": "3"}),
    "logs": Case("positive", {"objective": "reg:squaredlogerror"}),
    "huber": Case("number", {"objective": "reg:pseudohubererror"}),
    "absolute": Case("number", {"objective": "reg:absoluteerror"}),
    "quantile": Case("number", {"objective": "reg:quantileerror", "quantile_alpha": "0.3"}),
    "cox": Case("positive", {"objective": "survival:cox"}),
    "ndcg": Case("count", {"objective": "rank:ndcg"}, groups=10),
    "map": Case("flag", {"objective": "rank:map"}, groups=10),
    "updaters": Case("number", {"updater": "grow_colmaker,prune"}),
    "given logitraw": Case("flag", {"objective": "binary:logitraw", "base_score": "0.3"}),
    "ranks": Case("count", {"objective": "rank:pairwise"}, groups=10),
}


def training_rows() -> list[Row]:
    return _rows(ROWS, 1)


def unseen_rows() -> list[Row]:
    return _rows(UNSEEN, 2)


def _rows(count: int, seed: int) -> list[Row]:
    """Numbers with three decimals; one in twelve is missing."""
    source = random.Random(seed)
    return [
        [NAN if source.random() < 1 / 12 else round(source.gauss(0, 1), 3) for _ in range(WIDTH)] for _ in range(count)
    ]


def labels(case: Case, rows: list[Row]) -> list[float]:
    source = random.Random(case.label)
    return [_label(case.label, [0.0 if cell != cell else cell for cell in row], source.gauss(0, 1)) for row in rows]


def _label(kind: str, row: Row, noise: float) -> float:
    signal = row[0] + row[1] * row[2] + 0.5 * abs(row[3]) + 0.3 * noise
    match kind:
        case "number":
            return round(150 + 40 * signal, 1)
        case "flag":
            return float(signal > 0.8)
        case "share":
            return round(min(1.0, max(0.0, 0.4 + 0.2 * signal)), 3)
        case "kind":
            return float(signal > 0) + float(signal > 1.2)
        case "count":
            return float(max(0, round(2 + 1.5 * signal)))
        case _:
            return round(0.1 + abs(signal), 3)
