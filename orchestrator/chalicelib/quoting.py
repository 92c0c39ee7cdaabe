# SPDX-License-Identifier: Apache-2.0
"""What a response repeats of a request: JSON pointers (RFC 6901) and values, each truncated."""

from __future__ import annotations

import json
from typing import Any

VALUE = 120  # characters of a value or a key
TEXT = 500  # characters of one part of a problem


def pointer(*keys: object) -> str:
    """The JSON pointer to a place in a body; a long key is cut."""
    return "".join(f"/{_escaped(cut(str(key)))}" for key in keys)


def shown(value: Any) -> str:
    """A value as a message repeats it."""
    return cut(repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def cut(text: str, most: int = VALUE) -> str:
    """A text with its end replaced by "…" where it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1").encode("utf-8", "replace").decode("utf-8")
