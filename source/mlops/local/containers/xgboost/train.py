# SPDX-License-Identifier: Apache-2.0
"""The training process: `python -m mlops.local.containers.xgboost.train TREE IMAGE`.

Reads and writes the folder tree as SageMaker's image does, prints a line of metrics each round, saves the
model as `model/xgboost-model` in xgboost's UBJ format, which `xgboost.Booster.load_model` and SageMaker's
image read.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from mlops.local.containers import process
from mlops.local.containers.xgboost import channels, hyperparameters, metrics, versions
from mlops.local.containers.xgboost.errors import AlgorithmError, UserError

# What xgboost says when the data are at fault and not the algorithm.
_USERS_DOING = (
    "label must be",
    "label_correct",
    "num_class",
    "base_score",
    "`inf`",
    "preds.size()",
    "only pos or neg",
    "Parameter",
    "Invalid",
    "Unknown",
    "must be",
    "should be",
    "Must have",
)


def main(tree: Path, image_uri: str) -> int:
    return process.main(tree, lambda: train(tree, versions.of_image(image_uri)))


def train(tree: Path, version: versions.Version) -> None:
    """Train on a folder tree as the image with this version of xgboost does."""
    config = tree / "input" / "config"
    settings = hyperparameters.validate(json.loads((config / "hyperparameters.json").read_text()))
    if problem := versions.unknown_objective(settings, version):
        raise UserError(f"Hyperparameter {problem}")
    inputs = json.loads((config / "inputdataconfig.json").read_text())
    data = channels.read(tree, inputs, settings.get("csv_weights") == 1)
    _check_labels(settings, data)
    for channel in data:
        rows = channel.matrix.num_row()
        print(f"{channel.name.capitalize()} matrix has {rows} rows and {channel.width} columns")
    print(f"Training with the defaults of xgboost {versions.text(version)} on xgboost {xgboost.__version__}")
    settings = versions.defaults(settings, version, data[0].matrix.num_row())
    for difference in versions.differences(settings, version):
        print(f"The model differs from the model that xgboost {versions.text(version)} trains: there, {difference}")
    model = _boost(settings, data, versions.metric(settings, version))
    (tree / "model" / "xgboost-model").write_bytes(model.save_raw("ubj"))


def _check_labels(settings: Mapping[str, Any], data: list[channels.Channel]) -> None:
    """What xgboost would refuse, found first so that the row can be named."""
    objective = settings.get("objective", "reg:squarederror")
    classes = settings.get("num_class")
    for channel in data:
        labels = channel.labels
        if objective in ("binary:logistic", "binary:logitraw", "reg:logistic"):
            wrong, rule = (labels < 0) | (labels > 1), "label must be in [0,1] for logistic regression"
        elif classes:
            wrong = (labels < 0) | (labels >= classes)
            rule = f"label must be in [0, num_class) with num_class {classes}"
        elif objective in ("count:poisson", "reg:tweedie", "reg:gamma"):
            wrong, rule = labels < 0, f"label must be nonnegative for {objective}"
        else:
            continue
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise UserError(f"{rule}: row {row + 1} of channel {channel.name} has the label {labels[row]:g}")


def _boost(settings: dict[str, Any], data: list[channels.Channel], usual_metric: str | None) -> xgboost.Booster:
    wanted = list(settings.get("eval_metric", []))
    _, _, tuned = settings.get("_tuning_objective_metric", "").partition(":")
    if tuned and tuned not in wanted:
        wanted.append(tuned)
    parameters = {name: value for name, value in settings.items() if name not in hyperparameters.OF_THE_CONTAINER}
    if "updater" in parameters:
        parameters["updater"] = ",".join(parameters["updater"])
    known = [name for name in wanted if name not in metrics.COMPUTED_HERE]
    if known or usual_metric:
        parameters["eval_metric"] = known or [usual_metric]
    stopper = _Stopper(save=settings.get("save_model_on_termination") == "true")
    callbacks: list[xgboost.callback.TrainingCallback] = [stopper]
    if "early_stopping_rounds" in settings and len(data) > 1:
        metric = wanted[-1] if wanted else None
        callbacks.append(
            xgboost.callback.EarlyStopping(
                rounds=settings["early_stopping_rounds"],
                metric_name=metric,
                data_name="validation",
                save_best=True,
                maximize=metric.partition("@")[0] in metrics.MAXIMIZED if metric else None,
            )
        )
    try:
        return xgboost.train(
            parameters,
            data[0].matrix,
            settings["num_round"],
            evals=[(channel.matrix, channel.name) for channel in data],
            custom_metric=metrics.evaluator([name for name in wanted if name in metrics.COMPUTED_HERE]),
            callbacks=callbacks,
            verbose_eval=True,
        )
    except (xgboost.core.XGBoostError, ValueError) as error:
        text = _essence(str(error))
        if any(words in text for words in _USERS_DOING):
            raise UserError(text) from error
        raise AlgorithmError(f"XGB train call failed with exception: {text}") from error


def _essence(text: str) -> str:
    """xgboost's message without its time stamp, source file and stack trace."""
    text = text.split("Stack trace:", maxsplit=1)[0].strip()
    text = re.sub(r"^\[\d\d:\d\d:\d\d\]\s+\S+:\d+:\s*", "", text)
    return " ".join(re.sub(r"^Check failed: .*?: (?=\S)", "", text).split())


class _Stopper(xgboost.callback.TrainingCallback):
    """Ends training after the current round when SageMaker stops the job, and keeps the model if asked to."""

    def __init__(self, save: bool) -> None:
        self.stopped = False
        if save:
            signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        self.stopped = True

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        return self.stopped


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
