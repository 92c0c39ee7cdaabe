# SPDX-License-Identifier: Apache-2.0
"""The hyperparameters that SageMaker's XGBoost image takes: strings in, xgboost's parameters out.

Names, types and ranges are those of the orchestrator's table (made by `make hyperparameters`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.intake.hyperparameters import bounds, takes, within

from mlops.local.containers.xgboost.errors import UserError
from mlops.local.containers.xgboost.metrics import COMPUTED_HERE, XGBOOST_METRICS

Rule = Callable[[str], Any]


def _number(kind: type, interval: str) -> Rule:
    def parse(text: str) -> Any:
        value = kind(text)  # a ValueError is reported by `validate`
        if math.isnan(value) or not within(value, interval):
            low, high = bounds(interval)
            raise OutOfRange(f"{interval[0]}{low or '-inf'}, {high or 'inf'}{interval[-1]}")
        return value

    return parse


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
                raise OutOfRange("error@t, ndcg@n and map@n; other metrics have no threshold")
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


def _rule(rule: Sequence[Any]) -> Rule:
    """What reads a value, for a rule of the table."""
    match rule:
        case ["integer", interval]:
            return _number(int, interval)
        case ["number", interval]:
            return _number(float, interval)
        case ["one", values]:
            return _one_of(*values)
        case ["some", values]:
            return _list_of(*values)
    raise LookupError(f"xgboost has a hyperparameter of a kind that is unknown here: {rule}")


_READ_HERE: dict[str, Rule] = {
    "eval_metric": _metrics,
    "interaction_constraints": _brackets,
    "monotone_constraints": _brackets,
    # What SageMaker itself adds.
    "_kfold": _number(int, "[2, )"),
    "_num_cv_round": _number(int, "[1, )"),
    "_tuning_objective_metric": str,
}
RULES = {name: _rule(rule) for name, rule in takes("xgboost").items() if name not in _READ_HERE} | _READ_HERE
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
            "tree_method 'gpu_hist' and predictor 'gpu_predictor' require a GPU, which the laptop account lacks."
        )
    if "_kfold" in values:
        raise UserError("The laptop account does not support k-fold cross validation (_kfold).")
