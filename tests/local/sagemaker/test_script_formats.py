# SPDX-License-Identifier: Apache-2.0
"""Bodies that a serving script leaves to its toolkit: arrays are read, programs are not run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlops.local.containers.base import InferenceError
from mlops.local.containers.scripts import formats


class _Touches:
    """What makes a file as it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self._file,)


def _npy(array: Any) -> bytes:
    body = io.BytesIO()
    np.save(body, array)
    return body.getvalue()


def test_an_array_of_numbers_is_read() -> None:
    rows = np.array([[1.5, 2], [3, 4]])
    assert np.array_equal(formats.decode(_npy(rows), formats.NPY), rows)


def test_a_pickle_in_a_request_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "touched"
    with pytest.raises(InferenceError) as refused:
        formats.decode(_npy(np.array([_Touches(file)], dtype=object)), formats.NPY)
    assert refused.value.status == 400
    assert "runs whatever code it holds" in str(refused.value)
    assert not file.exists()
