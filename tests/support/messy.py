# SPDX-License-Identifier: Apache-2.0
"""A small table as people have them: names with spaces, missing cells, categories, dates, text, and useless columns."""

from __future__ import annotations

import csv
import io
import random
from typing import Any

HEADER = ("Customer ID", "age", "Plan name", "joined", "constant", "last comment", "income", "churned")
TARGET = "churned"
WORDS = ("good", "bad", "service", "price", "slow", "fast", "happy", "angry")
_PLANS = {"basic": 1, "plus": 0, "pro": -1, "": 0}

Row = list[str]


def rows(count: int = 520, seed: int = 3, target: str = "binary") -> list[Row]:
    """Rows with their target: binary (yes, no), classes (low, mid, high) or value (a number)."""
    random_ = random.Random(seed)
    return [_row(number, random_, target) for number in range(count)]


def _row(number: int, random_: random.Random, target: str) -> Row:
    age, plan = random_.gauss(40, 12), random_.choice(list(_PLANS))
    words = [random_.choice(WORDS) for _ in range(5)]
    score = (age - 40) / 6 + 2 * _PLANS[plan] + words.count("angry") - words.count("happy") + random_.gauss(0, 0.5)
    told: Any = {
        "binary": "yes" if score > 0 else "no",
        "classes": "low" if score < -1.5 else "high" if score > 1.5 else "mid",
        "value": f"{10 * score + 50:.3f}",
    }[target]
    return [
        f"C-{number:05}",
        "" if random_.random() < 0.1 else f"{age:.1f}",
        plan,
        f"202{random_.randint(0, 5)}-0{random_.randint(1, 9)}-1{random_.randint(0, 9)}",
        "x",
        " ".join(words),
        "NA" if random_.random() < 0.05 else f"{random_.expovariate(1 / 30000):.2f}",
        told,
    ]


def text(table: list[Row], header: tuple[str, ...] | None = HEADER) -> str:
    """CSV, with a header or without."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows([*([header] if header else []), *table])
    return lines.getvalue()


def raw(table: list[Row]) -> str:
    """What a model predicts from: rows without header and target."""
    return text([row[:-1] for row in table], None)
