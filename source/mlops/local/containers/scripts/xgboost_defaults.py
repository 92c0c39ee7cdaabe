# SPDX-License-Identifier: Apache-2.0
"""What a serving script of the XGBoost image leaves to its toolkit; model_fn has no default there."""

from __future__ import annotations

from typing import Any

import xgboost

from mlops.local.containers.scripts import formats
from mlops.local.containers.xgboost.data import delimiter_of, read_csv, read_libsvm

_LIBSVM = ("text/libsvm", "text/x-libsvm")


def input_fn(body: str | bytes, content_type: str) -> xgboost.DMatrix:
    """CSV and libsvm as xgboost's matrix."""
    kind = content_type.partition(";")[0].strip()
    if kind != formats.CSV and kind not in _LIBSVM:
        raise formats.unsupported(kind, 415)
    text = (body if isinstance(body, str) else body.decode("utf-8")).strip()
    if kind == formats.CSV:
        return xgboost.DMatrix(read_csv(text, "the request", delimiter_of(text)))
    return xgboost.DMatrix(read_libsvm([("the request", text)], labelled=False).features)


def predict_fn(data: xgboost.DMatrix, model: Any) -> Any:
    return model.predict(data, validate_features=False)


def output_fn(prediction: Any, accept: str) -> tuple[bytes, str]:
    return formats.encode(prediction, accept), accept
