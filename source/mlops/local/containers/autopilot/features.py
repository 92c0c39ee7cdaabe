# SPDX-License-Identifier: Apache-2.0
"""Table of text -> matrix of numbers: what each kind of column becomes, learnt from the training rows alone.

numeric      the number, standardised; missing: the median, and a column that says so
categorical  a column for each frequent category; rare and unseen ones share one; missing is a category
text         TF-IDF of words and pairs of words, in few dimensions
datetime     year, month, day, weekday, hour and the time as such, treated as numbers
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops.local.containers.autopilot.columns import CATEGORICAL, DATETIME, NUMERIC, TEXT, Column, moment, number
from mlops.local.containers.autopilot.table import Rows

Matrix = np.ndarray[Any, np.dtype[np.float64]]

_CATEGORIES = 30  # of one column that get a column each
_FREQUENT = 5  # rows that a category is in, to get one
_WORDS, _TEXT_WIDTH = 2000, 20


class Numbers(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Text as numbers; NaN where it is none."""

    def fit(self, rows: Rows, y: Any = None) -> Numbers:
        """Nothing to learn."""
        return self

    def transform(self, rows: Rows) -> Matrix:
        """Rows of numbers."""
        return np.array([[number(cell) for cell in row] for row in rows], dtype=np.float64)


class Dates(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Dates as the numbers they consist of; NaN where a cell is no date."""

    def fit(self, rows: Rows, y: Any = None) -> Dates:
        """Nothing to learn."""
        return self

    def transform(self, rows: Rows) -> Matrix:
        """Six columns for each column of dates."""
        return np.array([[part for cell in row for part in _parts(cell)] for row in rows], dtype=np.float64)


class Words(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A column of text as a few numbers."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, rows: Rows, y: Any = None) -> Words:
        """Learn the words, and the dimensions in which the texts differ most."""
        self.vectorizer_ = TfidfVectorizer(max_features=_WORDS, ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        try:
            found = self.vectorizer_.fit_transform(rows[:, 0])
        except ValueError:  # no word is there twice
            self.vectorizer_ = self.reduce_ = None
            return self
        width = min(_TEXT_WIDTH, found.shape[1] - 1)
        self.reduce_ = TruncatedSVD(width, random_state=self.seed).fit(found) if width > 0 else None
        return self

    def transform(self, rows: Rows) -> Matrix:
        """As many columns as there are dimensions."""
        if self.vectorizer_ is None:
            return np.zeros((len(rows), 1))
        found = self.vectorizer_.transform(rows[:, 0])
        made: Matrix = self.reduce_.transform(found) if self.reduce_ is not None else found.toarray()
        return made


def transformer(columns: list[Column], seed: int) -> ColumnTransformer:
    """What makes features of the columns, to be fitted to training rows. There must be one that is used."""
    by_kind = {
        kind: [place for place, column in enumerate(columns) if column.kind == kind]
        for kind in (NUMERIC, CATEGORICAL, DATETIME)
    }
    steps = {NUMERIC: [("read", Numbers()), *_scaled()], DATETIME: [("read", Dates()), *_scaled()]}
    steps[CATEGORICAL] = [
        (
            "encode",
            OneHotEncoder(
                handle_unknown="infrequent_if_exist",
                min_frequency=_FREQUENT,
                max_categories=_CATEGORIES,
                sparse_output=False,
            ),
        )
    ]
    made = [(kind, Pipeline(steps[kind]), places) for kind, places in by_kind.items() if places]
    made += [(f"{TEXT}-{place}", Words(seed), [place]) for place, column in enumerate(columns) if column.kind == TEXT]
    return ColumnTransformer(made, sparse_threshold=0)


def _scaled() -> list[tuple[str, Any]]:
    impute = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return [("impute", impute), ("scale", StandardScaler())]


def _parts(cell: str) -> list[float]:
    found = moment(cell) if cell else None
    if found is None:
        return [math.nan] * 6
    return [found.year, found.month, found.day, found.weekday(), found.hour, found.timestamp()]
