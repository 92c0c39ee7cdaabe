# SPDX-License-Identifier: Apache-2.0
"""The `train` and `validation` channels as xgboost's matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from mlops.local.containers.xgboost.data import DataError, Matrix, delimiter_of, read_csv, read_libsvm, widened
from mlops.local.containers.xgboost.errors import UserError

CONTENT_TYPES = {
    "csv": "csv",
    "text/csv": "csv",
    "libsvm": "libsvm",
    "text/libsvm": "libsvm",
    "text/x-libsvm": "libsvm",
}
NOT_HERE = frozenset({"parquet", "application/x-parquet", "recordio-protobuf", "application/x-recordio-protobuf"})
CHANNELS = ("train", "validation")


@dataclass(frozen=True)
class Channel:
    name: str
    matrix: xgboost.DMatrix
    labels: Matrix

    @property
    def width(self) -> int:
        return int(self.matrix.num_col())


def content_type(channel: str, given: str | None) -> str:
    """`csv` or `libsvm`; a channel that names no content type is libsvm, as in SageMaker's image."""
    kind, _, parameters = (given or "text/libsvm").lower().partition(";")
    kind = kind.strip()
    if kind in NOT_HERE:
        raise UserError(f"Channel {channel}: the laptop account reads CSV and libsvm, not {kind}.")
    if kind not in CONTENT_TYPES:
        accepted = ", ".join([*CONTENT_TYPES, *sorted(NOT_HERE)])
        raise UserError(f"{given} is not an accepted ContentType: {accepted}.")
    size = dict(part.strip().partition("=")[::2] for part in parameters.split(";")).get("label_size", "1")
    if size != "1":
        raise UserError(f"{given} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1")
    return CONTENT_TYPES[kind]


def read(tree: Path, config: Mapping[str, Mapping[str, Any]], csv_weights: bool) -> list[Channel]:
    """The train channel, and the validation channel where there is one."""
    if "train" not in config:
        raise UserError(
            "Missing required channel: train. SageMaker XGBoost trains on the channel 'train' "
            "and evaluates on 'validation'."
        )
    extraneous = sorted(config.keys() - set(CHANNELS))
    if extraneous:
        raise UserError(
            f"Extraneous channel found: {', '.join(extraneous)}. SageMaker XGBoost takes the "
            "channels train and validation."
        )
    channels: list[Channel] = []
    for name in CHANNELS:
        if name not in config:
            continue
        files = _files(tree / "input" / "data" / name)
        kind = content_type(name, config[name].get("ContentType"))
        try:
            if kind == "csv":
                channel = _csv(name, files, csv_weights, channels[0].width if channels else None)
            else:
                channel = _libsvm(name, files, channels[0].width if channels else None)
        except DataError as error:
            problem = f"Failed to load {kind} data of channel {name}: {error}."
            raise UserError(problem + _advice(kind)) from error
        channels.append(channel)
    return channels


def _advice(kind: str) -> str:
    return (
        " CSV for SageMaker XGBoost has the label in the first column, numbers only and no header line."
        if kind == "csv"
        else ""
    )


def _files(folder: Path) -> list[tuple[str, str]]:
    """Name and text of each data file; names that begin with a dot or an underscore are no data."""
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith((".", "_")):
            name = str(path.relative_to(folder))
            try:
                files.append((name, path.read_text("utf-8-sig")))
            except UnicodeDecodeError as error:
                raise UserError(
                    f"File {name} of channel {folder.name} is not text (byte {error.start} is "
                    "not UTF-8). Is it compressed? Then set CompressionType to Gzip."
                ) from error
    if not any(text.strip() for _, text in files):
        raise UserError(
            f"No data in the {folder.name} channel: {'its files are empty' if files else 'it has no files'}"
        )
    return files


def _csv(name: str, files: list[tuple[str, str]], csv_weights: bool, features: int | None) -> Channel:
    tables: list[Matrix] = []
    first = ""
    for file, text in files:
        table = read_csv(text, file, delimiter_of(text))
        if not len(table):
            continue
        if tables and table.shape[1] != tables[0].shape[1]:
            raise DataError(f"{file} has {table.shape[1]} columns, and {first} has {tables[0].shape[1]}")
        first = first or file
        tables.append(table)
    table = np.vstack(tables)
    labels, rest = table[:, 0], table[:, 1:]
    weights = None
    # The image takes weights from the training data only; validation rows that carry them too are understood.
    if csv_weights and rest.shape[1] >= 1 and (features is None or rest.shape[1] == features + 1):
        weights, rest = rest[:, 0], rest[:, 1:]
    if not rest.shape[1]:
        raise DataError(f"{first} has no feature columns besides the label")
    if features is not None and rest.shape[1] != features:
        raise DataError(f"{first} has {rest.shape[1]} features, and the train channel has {features}")
    infinite = np.flatnonzero(np.isinf(rest).any(axis=1))
    if len(infinite):
        raise DataError(f"row {infinite[0] + 1} has an infinite feature")
    _check_labels(labels)
    return Channel(name, xgboost.DMatrix(rest, label=labels, weight=weights), labels)


def _check_labels(labels: Matrix) -> None:
    missing = np.flatnonzero(~np.isfinite(labels))
    if len(missing):
        raise DataError(f"row {missing[0] + 1} has no label, or one that is not a finite number")


def _libsvm(name: str, files: list[tuple[str, str]], features: int | None) -> Channel:
    data = read_libsvm(files, labelled=True)
    if features is not None and data.features.shape[1] > features:
        raise DataError(f"its largest index is {data.features.shape[1] - 1}, and the train channel's is {features - 1}")
    rows = data.features if features is None else widened(data.features, features)
    _check_labels(data.labels)
    matrix = xgboost.DMatrix(rows, label=data.labels, weight=data.weights, qid=data.groups)
    return Channel(name, matrix, data.labels)
