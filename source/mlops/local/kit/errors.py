# SPDX-License-Identifier: Apache-2.0
"""How a service of ours refuses: the error code and message its caller sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class ApiError(Exception):
    """An AWS error answer. `details` are further members of a modelled error."""

    def __init__(self, code: str, message: str, status: int = 400, **details: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.details = code, message, status, details


@dataclass(frozen=True)
class Caller:
    """Who asks: `arn` is the principal, a user, an assumed role or the account's root."""

    account_id: str
    region: str
    arn: str
