# SPDX-License-Identifier: Apache-2.0
"""Garbage collection, suspended while modules and clients are loaded.

Loading makes some hundred thousand objects, nearly all of which stay. Python would walk through them again and again
to find next to nothing: a quarter of the CPU time that boto3 and its clients take.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suspended() -> Iterator[None]:
    """No garbage collection in this context; what exists at its end is left out of all later collections."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
