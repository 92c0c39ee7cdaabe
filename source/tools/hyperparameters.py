# SPDX-License-Identifier: Apache-2.0
"""Makes orchestrator/chalicelib/intake/hyperparameters.json: what the built-in algorithms take as hyperparameters.

    make hyperparameters        (or: python -m tools.hyperparameters [WHEEL])

    algorithm -> {"required": [name, ...], "needs": [[name, [value, ...], needed name], ...], "auto": bool,
                  "listed": [version, ...], "tunable": [name, ...], "metrics": {"Maximize" or "Minimize": [name, ...]},
                  "takes": {name: [kind, range or values]}}

A kind is integer, number, boolean, one (of values), some (of values, with commas between) or text. A range is an
interval as "[0, 1]" or "(0, )". `needs` says that a value of one ([]: any) makes another one needed; with `auto` the
algorithm takes "auto" for a number; `listed` are the versions for which lists of values are complete (absent: all).
`tunable` are the hyperparameters that tuning jobs may search, `metrics` what they may search by (absent: not known).

The estimators of the SageMaker SDK for Python v2, the last to have them, declare most of it. Its wheel is read as the
zip it is and never imported. What they leave out is here, from the table "hyperparameters" of each algorithm in
https://docs.aws.amazon.com/sagemaker/latest/dg/algos.html; so is XGBoost, whose estimator declares nothing.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[2] / "orchestrator" / "chalicelib" / "intake" / "hyperparameters.json"
PIN = "sagemaker==2.257.7"
ESTIMATORS = "sagemaker/amazon/"
KINDS = {"int": "integer", "float": "number", "bool": "boolean", "str": "text", "list": "text"}
BOUNDS = {"gt": ("(", 0), "ge": ("[", 0), "lt": (")", 1), "le": ("]", 1)}

Json = dict[str, Any]
COUNT = ["integer", "[1, )"]
# What every algorithm of the SDK takes and the SDK passes by itself.
COMMON = {"feature_dim": COUNT, "mini_batch_size": COUNT}
REQUIRED = {
    "factorization-machines": ["feature_dim", "num_factors", "predictor_type"],
    "ipinsights": ["num_entity_vectors", "vector_dim"],
    "kmeans": ["feature_dim", "k"],
    "knn": ["feature_dim", "k", "predictor_type", "sample_size"],
    "lda": ["feature_dim", "mini_batch_size", "num_topics"],
    "linear-learner": ["predictor_type"],
    "ntm": ["feature_dim", "num_topics"],
    "object2vec": ["enc0_max_seq_len", "enc0_vocab_size"],
    "pca": ["feature_dim", "mini_batch_size", "num_components"],
    "randomcutforest": ["feature_dim"],
}
NEEDS = {
    "knn": [["dimension_reduction_type", [], "dimension_reduction_target"]],
    "linear-learner": [["predictor_type", ["multiclass_classifier"], "num_classes"]],
}
AUTO = {"linear-learner", "kmeans"}
# Where AWS's table is wider than the SDK.
WIDER: dict[str, Json] = {
    "kmeans": {"k": COUNT},
    "ntm": {"sub_sample": ["number", "(0, 1]"]},
}

_SHARE, _PART, _FLAG = ["number", "[0, 1]"], ["number", "(0, 1]"], ["integer", "[0, 1]"]
_POSITIVE, _NATURAL = ["number", "[0, )"], ["integer", "[0, )"]
XGBOOST: Json = {
    "required": ["num_round"],
    "needs": [["objective", ["multi:softmax", "multi:softprob"], "num_class"]],
    # https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost-tuning.html, and more metrics that the image registers.
    "tunable": ["alpha", "colsample_bylevel", "colsample_bynode", "colsample_bytree", "eta", "gamma", "lambda",
                "max_delta_step", "max_depth", "min_child_weight", "num_round", "subsample"],
    "metrics": {
        "Maximize": [f"validation:{name}" for name in (
            "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision",
            "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro")],
        "Minimize": [f"validation:{name}" for name in (
            "aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy",
            "logloss", "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle",
            "tweedie-nloglik")],
    },
    "listed": ["0.90-1", "0.90-2", "1.0-1", "1.2-1", "1.2-2", "1.3-1", "1.5-1", "1.7-1", "3.0-5"],
    "takes": {
        "num_round": COUNT, "num_class": ["integer", "[2, )"], "csv_weights": _FLAG, "early_stopping_rounds": COUNT,
        "booster": ["one", ["gbtree", "gblinear", "dart"]], "verbosity": ["integer", "[0, 3]"], "silent": _FLAG,
        "nthread": COUNT, "eta": _SHARE, "gamma": _POSITIVE, "max_depth": _NATURAL, "min_child_weight": _POSITIVE,
        "max_delta_step": _POSITIVE, "subsample": _PART, "sampling_method": ["one", ["uniform", "gradient_based"]],
        "colsample_bytree": _PART, "colsample_bylevel": _PART, "colsample_bynode": _PART,
        "lambda": _POSITIVE, "alpha": _POSITIVE,
        "tree_method": ["one", ["auto", "exact", "approx", "hist", "gpu_hist"]], "sketch_eps": ["number", "(0, 1)"],
        "scale_pos_weight": ["number", "(0, )"],
        "updater": ["some", ["grow_colmaker", "distcol", "grow_histmaker", "grow_local_histmaker",
                             "grow_quantile_histmaker", "grow_skmaker", "sync", "refresh", "prune", "shotgun",
                             "coord_descent"]],
        "dsplit": ["one", ["row", "col"]], "refresh_leaf": _FLAG, "process_type": ["one", ["default", "update"]],
        "grow_policy": ["one", ["depthwise", "lossguide"]], "max_leaves": _NATURAL, "max_bin": _NATURAL,
        "predictor": ["one", ["auto", "cpu_predictor", "gpu_predictor"]],
        "monotone_constraints": ["text"], "interaction_constraints": ["text"],
        "sample_type": ["one", ["uniform", "weighted"]], "normalize_type": ["one", ["tree", "forest"]],
        "rate_drop": _SHARE, "one_drop": _FLAG, "skip_drop": _SHARE, "lambda_bias": _SHARE,
        "tweedie_variance_power": ["number", "(1, 2)"], "huber_slope": ["number", "(0, )"],
        "quantile_alpha": ["number", "(0, 1)"],
        "objective": ["one", ["binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax",
                              "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear",
                              "reg:squarederror", "reg:logistic", "reg:gamma", "reg:absoluteerror",
                              "reg:pseudohubererror", "reg:quantileerror", "reg:squaredlogerror", "reg:tweedie",
                              "survival:aft", "survival:cox"]],
        "base_score": ["number", "(, )"],
        "eval_metric": ["some", ["aft-nloglik", "auc", "aucpr", "cox-nloglik", "error", "gamma-deviance",
                                 "gamma-nloglik", "interval-regression-accuracy", "logloss", "mae", "map", "mape",
                                 "merror", "mlogloss", "mphe", "ndcg", "poisson-nloglik", "pre", "quantile", "rmse",
                                 "rmsle", "tweedie-nloglik", "accuracy", "balanced_accuracy", "f1", "f1_binary",
                                 "f1_macro", "mse", "precision", "precision_macro", "precision_micro", "r2", "recall",
                                 "recall_macro", "recall_micro"]],
        "seed": ["integer", "[-2147483648, 2147483647]"], "num_parallel_tree": COUNT,
        "save_model_on_termination": ["one", ["true", "false"]],
        "aft_loss_distribution": ["one", ["normal", "logistic", "extreme"]],
        "aft_loss_distribution_scale": ["number", "(0, )"],
        "deterministic_histogram": ["one", ["true", "false"]], "single_precision_histogram": ["one", ["true", "false"]],
        "use_dask_gpu_training": ["one", ["true", "false"]], "prob_buffer_row": ["number", "(0, )"],
    },
}  # fmt: skip


def algorithms_in(wheel: Path) -> Iterator[tuple[str, Json]]:
    """Each estimator of the SDK that has a table in AWS's documentation: its algorithm and what it takes."""
    with zipfile.ZipFile(wheel) as archive:
        for file in sorted(archive.namelist()):
            if not file.startswith(ESTIMATORS) or not file.endswith(".py"):
                continue
            for node in ast.parse(archive.read(file)).body:
                if isinstance(node, ast.ClassDef) and (found := _algorithm(node)):
                    yield found


def _algorithm(estimator: ast.ClassDef) -> tuple[str, Json] | None:
    values = {
        node.target.id: node.value
        for node in estimator.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    name = values.get("repo_name")
    if not isinstance(name, ast.Constant) or name.value not in REQUIRED:
        return None
    takes = dict(COMMON)
    for value in values.values():
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "hp":
            hyperparameter, rule = _hyperparameter(value)
            takes[hyperparameter] = rule
    takes |= WIDER.get(name.value, {})
    entry: Json = {"required": REQUIRED[name.value]}
    if name.value in NEEDS:
        entry["needs"] = NEEDS[name.value]
    if name.value in AUTO:
        entry["auto"] = True
    return name.value, {**entry, "takes": takes}


def _hyperparameter(call: ast.Call) -> tuple[str, list[Any]]:
    """hp(name, validators, message, type), each by place or by name."""
    given = dict(zip(("name", "validate", "validation_message", "data_type"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    kind = KINDS[ast.unparse(given["data_type"])] if "data_type" in given else "text"
    validators = given.get("validate", ast.Tuple([], ast.Load()))
    interval = ["(", "", "", ")"]
    for one in validators.elts if isinstance(validators, ast.Tuple) else [validators]:
        assert isinstance(one, ast.Call)
        rule = ast.unparse(one.func)
        if rule == "isin":
            return ast.literal_eval(given["name"]), ["one", [ast.literal_eval(value) for value in one.args]]
        if rule in BOUNDS:
            bracket, end = BOUNDS[rule]
            interval[3 * end], interval[1 + end] = bracket, f"{ast.literal_eval(one.args[0]):.10g}"
    ranged = [f"{interval[0]}{interval[1]}, {interval[2]}{interval[3]}"] if kind in ("integer", "number") else []
    return ast.literal_eval(given["name"]), [kind, *ranged]


def written(table: Json) -> str:
    """JSON with one hyperparameter a line, so that an update of the SDK reads well as a diff."""

    def line(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"))

    parts = []
    for name, entry in sorted(table["algorithms"].items()):
        head = "".join(f"{line(key)}:{line(value)},\n" for key, value in entry.items() if key != "takes")
        takes = ",\n".join(f"{line(one)}:{line(rule)}" for one, rule in sorted(entry["takes"].items()))
        parts.append(f'{line(name)}:{{\n{head}"takes":{{\n{takes}}}}}')
    return f'{{"source":{line(table["source"])},\n"algorithms":{{\n' + ",\n".join(parts) + "}}\n"


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if not arguments:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            subprocess.run([*pip, "--dest", folder, PIN], check=True)
        wheel = Path(arguments[0]) if arguments else next(Path(folder).glob("sagemaker-*.whl"))
        algorithms = {**dict(algorithms_in(wheel)), "xgboost": XGBOOST}
        source = " ".join(wheel.name.split("-")[:2])
    TABLE.write_text(written({"source": source, "algorithms": algorithms}), encoding="utf-8")
    print(f"{TABLE.name}: {', '.join(sorted(algorithms))}, from {source}")


if __name__ == "__main__":
    main(sys.argv[1:])
