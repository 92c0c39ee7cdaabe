# SPDX-License-Identifier: Apache-2.0
"""The document of an operation that is not complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Accepted(dict[str, Any]):
    """A 202 with Retry-After: resend the request for what comes of it."""

    def __init__(self, document: Mapping[str, Any], retry_after: int) -> None:
        super().__init__(document)
        self.retry_after = retry_after  # seconds
