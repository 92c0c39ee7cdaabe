# SPDX-License-Identifier: Apache-2.0
"""Bodies that scripts leave to their toolkit: content type and body -> array, prediction and accept -> body.

As aws/sagemaker-containers reads and writes them: a single line of CSV is an array of one dimension, and a list of
predictions is one a line.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np

from mlops.local.containers.base import InferenceError

CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"


def unsupported(kind: str, status: int) -> InferenceError:
    """415 for a content type, 406 for an accept type."""
    return InferenceError(
        status,
        f"Content type {kind} is not supported by this framework. Please implement input_fn to deserialize the request "
        "data or an output_fn to serialize the response.",
    )


def decode(body: str | bytes, content_type: str) -> Any:
    """A NumPy array; raises InferenceError."""
    if content_type == NPY:
        given = body if isinstance(body, bytes) else body.encode()
        return _array(given)
    text = body if isinstance(body, str) else body.decode("utf-8")
    if content_type == CSV:
        rows = list(csv.reader(io.StringIO(text), strict=True))
        return np.array(rows).squeeze()
    if content_type == JSON:
        return np.array(json.loads(text))
    raise unsupported(content_type, 415)


def _array(given: bytes) -> Any:
    """An array of NumPy's own format. The toolkits also take pickles, which run whatever code is in them: not here."""
    try:
        return np.load(io.BytesIO(given), allow_pickle=False)
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise InferenceError(
            400,
            f"The {NPY} body holds Python objects (a pickle). Loading one runs whatever code it holds, so the laptop "
            "account does not. Send an array of numbers or text.",
        ) from error


def encode(prediction: Any, accept: str) -> bytes:
    """A response's body; raises InferenceError."""
    if accept == NPY:
        buffer = io.BytesIO()
        np.save(buffer, prediction)
        return buffer.getvalue()
    if accept == CSV:
        array = np.array(prediction)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n", strict=True).writerows(array.reshape(-1, 1) if array.ndim == 1 else array)
        return text.getvalue().encode()
    if accept == JSON:
        return json.dumps(prediction, default=_listed).encode()
    raise unsupported(accept, 406)


def _listed(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
