# SPDX-License-Identifier: Apache-2.0
"""Serves a model as SageMaker's XGBoost image does.

Takes `text/csv` and `text/libsvm` (`text/x-libsvm`), and, beyond that image, `application/json`: a list of
rows or {"instances": [{"features": [...]}]}. Answers `text/csv`, all predictions on one line as the image
does (in a batch transform job, each on a line of its own), or `application/json`:
{"predictions": [{"score": ...}]}. A row of the wrong width is refused; xgboost itself would score it.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from mlops.local.containers.base import InferenceError, ModelLoadError, Prediction
from mlops.local.containers.xgboost import check
from mlops.local.containers.xgboost.data import DataError, delimiter_of, read_csv, read_libsvm, widened

_INPUTS = ("text/csv", "text/libsvm", "text/x-libsvm", "application/json")


def load(model_dir: Path, in_batch: bool = False) -> XGBoostPredictor:
    """The model in an unpacked artifact; `in_batch`: for a batch transform job. Raises ModelLoadError."""
    files = sorted(path for path in model_dir.rglob("*") if path.is_file() and not path.name.startswith("."))
    only = files[0] if len(files) == 1 else None
    chosen = next((path for path in files if path.name == "xgboost-model"), only)
    if chosen is None:
        held = ", ".join(str(path.relative_to(model_dir)) for path in files) or "nothing"
        raise ModelLoadError(f"the artifact has no file 'xgboost-model'; it contains {held}")
    content = chosen.read_bytes()
    if content[:1] == b"\x80" or content[:2] in (b"(l", b"cx", b"ci", b"cc"):
        raise ModelLoadError(
            f"{chosen.name} is a Python pickle. Loading one runs whatever code it holds, so "
            "the laptop account does not; save the model with Booster.save_model"
        )
    if problem := check.problem(content):
        raise ModelLoadError(f"{chosen.name} is not a model that xgboost {xgboost.__version__} can serve: {problem}")
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(content))
    except xgboost.core.XGBoostError as error:
        raise ModelLoadError(
            f"{chosen.name} is not a model that xgboost {xgboost.__version__} reads: {_first_line(error)}"
        ) from error
    return XGBoostPredictor(booster, in_batch)


def _first_line(error: Exception) -> str:
    return str(error).split("Stack trace:")[0].strip().splitlines()[0]


class XGBoostPredictor:
    def __init__(self, booster: xgboost.Booster, in_batch: bool = False) -> None:
        booster.set_param({"nthread": 1})
        self._in_batch = in_batch
        self._booster = booster
        self._lock = threading.Lock()
        self.width = int(booster.num_features())

    def invoke(self, body: bytes, content_type: str, accept: str) -> Prediction:
        answer = _accepted(accept)
        scores = self._predict(self._read(body, content_type))
        if answer == "application/json":
            predictions = {"predictions": [{"score": score} for score in scores]}
            return Prediction(json.dumps(predictions).encode(), answer)
        text = "".join(f"{score}\n" for score in scores) if self._in_batch else ",".join(map(str, scores))
        return Prediction(text.encode(), "text/csv; charset=utf-8")

    def close(self) -> None:
        """The model is in memory: nothing was started for it."""

    def _predict(self, rows: xgboost.DMatrix) -> list[Any]:
        with self._lock:  # dart and linear boosters keep state while they predict
            try:
                scores = self._booster.predict(rows, validate_features=False)
            except xgboost.core.XGBoostError as error:
                problem = f"Unable to evaluate payload provided: {_first_line(error)}"
                raise InferenceError(400, problem) from error
        found: list[Any] = scores.tolist()
        return found

    def _read(self, body: bytes, content_type: str) -> xgboost.DMatrix:
        kind = (content_type or "text/csv").split(";")[0].strip().lower()
        if kind not in _INPUTS:
            raise InferenceError(
                415, f"Content-type {kind} not supported. Supported content-type is {', '.join(_INPUTS)}"
            )
        name = kind.rpartition("/")[2].removeprefix("x-")
        try:
            text = body.decode("utf-8-sig").strip()
            if not text:
                raise DataError("the request body is empty")
            if name == "libsvm":
                return self._libsvm(text)
            rows = _json_rows(text) if name == "json" else read_csv(text, "the request", delimiter_of(text))
        except (DataError, UnicodeDecodeError) as error:
            raise InferenceError(
                400, f"Loading {name} data failed, please ensure data is in {name} format: {error}"
            ) from error
        if rows.shape[1] != self.width:
            raise self._wrong_width(name, rows.shape[1])
        return xgboost.DMatrix(rows, nthread=1)

    def _libsvm(self, text: str) -> xgboost.DMatrix:
        features = read_libsvm([("the request", text)], labelled=False).features
        if features.shape[1] > self.width:
            raise self._wrong_width("libsvm", features.shape[1])
        return xgboost.DMatrix(widened(features, self.width), nthread=1)

    def _wrong_width(self, name: str, found: int) -> InferenceError:
        return InferenceError(
            400,
            f"Unable to evaluate payload provided: Feature size of {name} inference "
            f"data {found} is not consistent with feature size of trained model "
            f"{self.width}.",
        )


def _json_rows(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {error}") from error
    if isinstance(value, dict):
        value = value.get("instances")
    if not isinstance(value, list) or not value:
        raise DataError('expected rows: [[...], ...] or {"instances": [{"features": [...]}, ...]}')
    rows: list[Any] = [row.get("features", {}) if isinstance(row, dict) else row for row in value]
    if all(_is_cell(cell) for cell in rows):
        rows = [rows]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or not all(_is_cell(cell) for cell in row):
            raise DataError(f"row {number} is not a list of numbers")
        if len(row) != len(rows[0]):
            raise DataError(f"row {number} has {len(row)} values, and row 1 has {len(rows[0])}")
    return np.array([[np.nan if cell is None else cell for cell in row] for row in rows], np.float32)


def _is_cell(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _accepted(accept: str) -> str:
    for wanted in (accept or "*/*").lower().split(","):
        kind = wanted.split(";")[0].strip()
        if kind in ("*/*", "text/*", "text/csv", "csv"):
            return "text/csv"
        if kind in ("application/json", "json"):
            return "application/json"
    raise InferenceError(
        406,
        f"{accept} is not an accepted Accept type. Please choose one of the following: "
        "['text/csv', 'application/json'].",
    )
