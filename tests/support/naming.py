# SPDX-License-Identifier: Apache-2.0
"""Names that no other test uses, for tests that share an account."""

from __future__ import annotations

import uuid


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"
