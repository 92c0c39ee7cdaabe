# SPDX-License-Identifier: Apache-2.0
"""The hyperparameters that SageMaker's XGBoost image takes: strings in, xgboost's parameters out.

Names, types and ranges are those of AWS's table "XGBoost hyperparameters" for the versions 0.90 to 3.0, plus
`silent`, which only the oldest image knows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from mlops.local.containers.xgboost.errors import UserError
from mlops.local.containers.xgboost.metrics import COMPUTED_HERE, XGBOOST_METRICS

Rule = Callable[[str], Any]


def _number(kind: type, low: float, high: float, low_open: bool, high_open: bool) -> Rule:
    def parse(text: str) -> Any:
        value = kind(text)  # a ValueError is reported by `validate`
        too_low = value <= low if low_open else value < low
        too_high = value >= high if high_open else value > high
        if math.isnan(value) or too_low or too_high:
            raise OutOfRange(f"{'(' if low_open else '['}{low}, {high}{')' if high_open else ']'}")
        return value

    return parse


def _integer(low: float = 0, high: float = math.inf) -> Rule:
    return _number(int, low, high, False, False)


def _float(low: float = 0, high: float = math.inf, *, above: bool = False, below: bool = False) -> Rule:
    return _number(float, low, high, above, below)


def _one_of(*choices: str) -> Rule:
    def parse(text: str) -> str:
        if text not in choices:
            raise OutOfRange(str(list(choices)))
        return text

    return parse


def _list_of(*choices: str) -> Rule:
    one = _one_of(*choices)
    return lambda text: [one(item.strip()) for item in text.split(",")]


def _metrics(text: str) -> list[str]:
    metrics = []
    for item in (part.strip() for part in text.strip("[]").split(",")):
        name, at, threshold = item.strip("'\" ").partition("@")
        if at:
            if name not in ("error", "ndcg", "map"):
                raise OutOfRange("error@t, ndcg@n and map@n: no other metric takes a threshold")
            float(threshold.rstrip("-"))
        elif name not in XGBOOST_METRICS | COMPUTED_HERE.keys():
            raise OutOfRange(str(sorted(XGBOOST_METRICS | COMPUTED_HERE.keys())))
        metrics.append(name + at + threshold)
    return metrics


def _brackets(text: str) -> str:
    """A list or tuple of numbers, which xgboost reads itself."""
    json.loads(text.replace("(", "[").replace(")", "]"))
    return text


class OutOfRange(Exception):
    """A value outside its range; the message is the range."""


_FLAG = _integer(0, 1)
_SHARE = _float(0, 1)
_PART = _float(0, 1, above=True)
_UPDATERS = (
    "grow_colmaker",
    "distcol",
    "grow_histmaker",
    "grow_local_histmaker",
    "grow_quantile_histmaker",
    "grow_skmaker",
    "sync",
    "refresh",
    "prune",
    "shotgun",
    "coord_descent",
)
_OBJECTIVES = (
    "binary:logistic",
    "binary:logitraw",
    "binary:hinge",
    "count:poisson",
    "multi:softmax",
    "multi:softprob",
    "rank:pairwise",
    "rank:ndcg",
    "rank:map",
    "reg:linear",
    "reg:squarederror",
    "reg:logistic",
    "reg:gamma",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "reg:squaredlogerror",
    "reg:tweedie",
    "survival:aft",
    "survival:cox",
)

RULES: dict[str, Rule] = {
    "num_round": _integer(1),
    "num_class": _integer(2),
    "csv_weights": _FLAG,
    "early_stopping_rounds": _integer(1),
    "booster": _one_of("gbtree", "gblinear", "dart"),
    "verbosity": _integer(0, 3),
    "silent": _FLAG,
    "nthread": _integer(1),
    "eta": _SHARE,
    "gamma": _float(),
    "max_depth": _integer(),
    "min_child_weight": _float(),
    "max_delta_step": _float(),
    "subsample": _PART,
    "sampling_method": _one_of("uniform", "gradient_based"),
    "colsample_bytree": _PART,
    "colsample_bylevel": _PART,
    "colsample_bynode": _PART,
    "lambda": _float(),
    "alpha": _float(),
    "tree_method": _one_of("auto", "exact", "approx", "hist", "gpu_hist"),
    "sketch_eps": _float(0, 1, above=True, below=True),
    "scale_pos_weight": _float(0, above=True),
    "updater": _list_of(*_UPDATERS),
    "dsplit": _one_of("row", "col"),
    "refresh_leaf": _FLAG,
    "process_type": _one_of("default", "update"),
    "grow_policy": _one_of("depthwise", "lossguide"),
    "max_leaves": _integer(),
    "max_bin": _integer(),
    "predictor": _one_of("auto", "cpu_predictor", "gpu_predictor"),
    "monotone_constraints": _brackets,
    "interaction_constraints": _brackets,
    "sample_type": _one_of("uniform", "weighted"),
    "normalize_type": _one_of("tree", "forest"),
    "rate_drop": _SHARE,
    "one_drop": _FLAG,
    "skip_drop": _SHARE,
    "lambda_bias": _SHARE,
    "tweedie_variance_power": _float(1, 2, above=True, below=True),
    "huber_slope": _float(0, above=True),
    "quantile_alpha": _float(0, 1, above=True, below=True),
    "objective": _one_of(*_OBJECTIVES),
    "base_score": _float(-math.inf),
    "eval_metric": _metrics,
    "seed": _integer(-(2**31), 2**31 - 1),
    "num_parallel_tree": _integer(1),
    "save_model_on_termination": _one_of("true", "false"),
    "aft_loss_distribution": _one_of("normal", "logistic", "extreme"),
    "aft_loss_distribution_scale": _float(0, above=True),
    "deterministic_histogram": _one_of("true", "false"),
    "single_precision_histogram": _one_of("true", "false"),
    "use_dask_gpu_training": _one_of("true", "false"),
    "prob_buffer_row": _float(0, above=True),
    "_tuning_objective_metric": str,
    "_kfold": _integer(2),
    "_num_cv_round": _integer(1),
}
OF_THE_CONTAINER = frozenset(
    {  # what the image itself reads; the rest goes to xgboost
        "num_round",
        "csv_weights",
        "early_stopping_rounds",
        "eval_metric",
        "save_model_on_termination",
        "_tuning_objective_metric",
        "_kfold",
        "_num_cv_round",
        "silent",
        "dsplit",
        "sketch_eps",
        "predictor",
        "deterministic_histogram",
        "single_precision_histogram",
        "use_dask_gpu_training",
        "prob_buffer_row",
    }
)


def validate(given: Mapping[str, str]) -> dict[str, Any]:
    """Parsed hyperparameters; the first thing wrong with them is a UserError, as in the image."""
    if "sagemaker_program" in given or "sagemaker_submit_directory" in given:
        raise UserError(
            "Script mode (sagemaker_program) runs your own training code in the image; "
            "the account on your laptop runs the built-in algorithm only."
        )
    if "num_round" not in given:
        raise UserError("Missing required hyperparameter: num_round")
    values = {}
    for name, text in given.items():
        if name not in RULES:
            raise UserError(f"Extraneous hyperparameter found: {name}")
        try:
            values[name] = RULES[name](text)
        except OutOfRange as allowed:
            raise UserError(f"Hyperparameter {name}: {text} is not in {allowed}") from allowed
        except ValueError as error:
            raise UserError(f"Hyperparameter {name}: could not parse value '{text}'") from error
    _validate_together(values)
    return values


def _validate_together(values: Mapping[str, Any]) -> None:
    objective = values.get("objective", "reg:squarederror")
    many_classes = objective in ("multi:softmax", "multi:softprob")
    if many_classes and "num_class" not in values:
        raise UserError("Require input for parameter 'num_class' for multi-classification")
    if not many_classes and "num_class" in values:
        raise UserError("Do not need to setup parameter 'num_class' for learning task other than multi-classification.")
    metrics = values.get("eval_metric", [])
    if {"auc", "aucpr"} & set(metrics) and not objective.startswith(("binary:", "rank:", "reg:logistic")):
        raise UserError("Metric 'auc' can only be applied for classification and ranking problems.")
    if "aft-nloglik" in metrics and objective != "survival:aft":
        raise UserError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")
    if values.get("tree_method") == "gpu_hist" or values.get("predictor") == "gpu_predictor":
        raise UserError(
            "tree_method 'gpu_hist' and predictor 'gpu_predictor' need a GPU, and the account on your laptop has none."
        )
    if "_kfold" in values:
        raise UserError("The account on your laptop does not run k-fold cross validation (_kfold).")
