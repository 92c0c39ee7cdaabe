# SPDX-License-Identifier: Apache-2.0
"""The demo's data and scores."""

from __future__ import annotations

import hashlib

import pytest
from mlops.demo import scores
from mlops.sample import dataset


def test_the_data_is_the_copy_its_readme_names() -> None:
    digest = hashlib.sha256(dataset.FILE.read_bytes()).hexdigest()
    assert digest in (dataset.FILE.parent / "README.md").read_text("utf-8")


def test_the_split_is_whole_and_has_no_row_twice() -> None:
    split = dataset.load()
    assert [len(split.train), len(split.validation), len(split.unseen)] == [341, 114, 114]
    rows = split.train + split.validation + split.unseen
    assert len({row.measurements for row in rows}) == 569
    assert sum(row.malignant for row in rows) == 212


def test_training_rows_have_the_label_first() -> None:
    split = dataset.load()
    first = dataset.labelled(split.train).decode().splitlines()[0].split(",")
    assert len(first) == 31
    assert first[0] == str(int(split.train[0].malignant))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.1, 0.4, 0.35, 0.8], 0.75), ([0.0, 0.1, 0.8, 0.9], 1.0), ([0.5, 0.5, 0.5, 0.5], 0.5)],
)
def test_auc(values: list[float], expected: float) -> None:
    assert scores.auc([False, False, True, True], values) == expected
