# SPDX-License-Identifier: Apache-2.0
"""The tokens of lists that come in pages: a position in, opaque text out, and back."""

from __future__ import annotations

import base64


def token(position: int) -> str:
    """What asks for the page that begins at a position."""
    return base64.urlsafe_b64encode(f"from:{position}".encode()).decode()


def position(given: str | None) -> int:
    """Where the page of a token begins, without one at 0; raises ValueError for what no `token` answered."""
    if given is None:
        return 0
    # binascii's and the decoder's errors are ValueErrors too
    prefix, _, number = base64.urlsafe_b64decode(given).decode().partition(":")
    if prefix != "from":
        raise ValueError(prefix)
    return int(number)
