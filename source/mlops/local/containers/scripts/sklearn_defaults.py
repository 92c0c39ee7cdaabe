# SPDX-License-Identifier: Apache-2.0
"""What a serving script of the scikit-learn image leaves to its toolkit; model_fn has no default there."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlops.local.containers.scripts import formats


def input_fn(body: str | bytes, content_type: str) -> Any:
    """CSV and JSON as an array of float32, NPY as it is."""
    array = formats.decode(body, content_type)
    return array if content_type == formats.NPY else array.astype(np.float32)


def predict_fn(data: Any, model: Any) -> Any:
    return model.predict(data)


def output_fn(prediction: Any, accept: str) -> tuple[bytes, str]:
    return formats.encode(prediction, accept), accept
