# SPDX-License-Identifier: Apache-2.0
"""A wrong word and the known ones -> the one that was probably meant."""

from __future__ import annotations

from difflib import get_close_matches

SIMILAR = 0.6  # of difflib's ratio, from 0 to 1


def nearest(value: str, known: list[str]) -> str | None:
    """The nearest known value: the same but for case first, then with its end in common, then by likeness."""
    lowered = {one.lower(): one for one in known}
    if value.lower() in lowered:
        return lowered[value.lower()]
    ending = [one for one in known if value and one.endswith(f".{value}")]
    near = ending or get_close_matches(value, known, 1, SIMILAR)
    return near[0] if near else None
