# SPDX-License-Identifier: Apache-2.0
"""Breast Cancer Wisconsin (Diagnostic), see data/README.md: split for training, for validation, and never shown."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILE = Path(__file__).parent / "data" / "breast_cancer.csv"
SOURCE = "Breast Cancer Wisconsin (Diagnostic), UCI Machine Learning Repository, CC BY 4.0"
TRAIN, VALIDATION = 0.6, 0.2  # the rest stays unseen
_MEASURED = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
_STATISTICS = ("mean", "error", "worst")
LARGER = (0.71, 0.17)  # together 500 rows, which Autopilot requires


@dataclass(frozen=True)
class Row:
    """One tumour: whether it was malignant, and its measurements as the file writes them."""

    malignant: bool
    measurements: str


@dataclass(frozen=True)
class Split:
    train: list[Row]
    validation: list[Row]
    unseen: list[Row]


def load(train: float = TRAIN, validation: float = VALIDATION) -> Split:
    """The rows, shuffled by their own digests, so that everybody gets the same split."""
    _, *lines = FILE.read_text("utf-8").splitlines()
    rows = []
    for line in sorted(lines, key=lambda line: hashlib.sha256(line.encode()).digest()):
        measurements, benign = line.rsplit(",", 1)
        rows.append(Row(benign == "0", measurements))
    first, second = int(len(rows) * train), int(len(rows) * (train + validation))
    return Split(rows[:first], rows[first:second], rows[second:])


def upload(s3: S3Client, bucket: str) -> Split:
    """Put the rows to train and to validate where the demo's requests say."""
    split = load()
    for name, rows in (("train", split.train), ("validation", split.validation)):
        s3.put_object(Bucket=bucket, Key=f"demo/{name}.csv", Body=labelled(rows))
    return split


def labelled(rows: list[Row]) -> bytes:
    """What SageMaker's XGBoost trains on: CSV, the label first, no header."""
    return "".join(f"{int(row.malignant)},{row.measurements}\n" for row in rows).encode()


def unlabelled(rows: list[Row]) -> bytes:
    """What it predicts from."""
    return "".join(f"{row.measurements}\n" for row in rows).encode()


def table(rows: list[Row]) -> bytes:
    """What Autopilot trains on: CSV with a header, the target as its last column."""
    header = ",".join([*(f"{name}_{statistic}" for statistic in _STATISTICS for name in _MEASURED), "malignant"])
    return "\n".join([header, *(f"{row.measurements},{int(row.malignant)}" for row in rows), ""]).encode()
