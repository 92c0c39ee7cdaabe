# SPDX-License-Identifier: Apache-2.0
"""A wrong word and the known ones -> the one that was probably meant."""

from __future__ import annotations

from collections.abc import Sequence


def similar(value: str, known: Sequence[str]) -> str | None:
    """The known value that is most like another; None where none is."""
    from difflib import get_close_matches  # for a request that is wrong only: a cold start waits for every import

    near = get_close_matches(value, known, n=1)
    return near[0] if near else None


def nearest(value: str, known: Sequence[str]) -> str | None:
    """The nearest known value: the same but for case first, then with its end in common, then by likeness."""
    lowered = {one.lower(): one for one in known}
    if value.lower() in lowered:
        return lowered[value.lower()]
    ending = [one for one in known if value and one.endswith(f".{value}")]
    return ending[0] if ending else similar(value, known)
