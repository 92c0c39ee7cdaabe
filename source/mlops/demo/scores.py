# SPDX-License-Identifier: Apache-2.0
"""Metrics of predictions."""

from __future__ import annotations

from collections.abc import Sequence


def auc(truth: Sequence[bool], scores: Sequence[float]) -> float:
    """How often a positive case scores above a negative one; a tie counts half."""
    positive = [score for score, is_true in zip(scores, truth, strict=True) if is_true]
    negative = [score for score, is_true in zip(scores, truth, strict=True) if not is_true]
    won = sum((high > low) + (high == low) / 2 for high in positive for low in negative)
    return won / (len(positive) * len(negative))


def right(truth: Sequence[bool], scores: Sequence[float], threshold: float = 0.5) -> int:
    """How many are on the right side of the threshold."""
    return sum((score >= threshold) == is_true for score, is_true in zip(scores, truth, strict=True))
