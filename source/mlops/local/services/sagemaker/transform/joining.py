# SPDX-License-Identifier: Apache-2.0
"""Records and predictions of a batch transform job in CSV, JSON and JSON Lines: filtered, joined and written.

    input record --InputFilter--> the request        prediction --join with the record--> --OutputFilter--> the output

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops.local.services.sagemaker.transform import json_path
from mlops.local.services.sagemaker.transform.json_path import Path, PathError

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
FORMATS = (CSV, JSON, JSON_LINES)
_OUTPUT, _INPUT = "SageMakerOutput", "SageMakerInput"


class FormatError(Exception):
    """The data is not in the format of its content type, or cannot be filtered or joined."""


def format_of(content_type: str) -> str:
    """A content type without parameters."""
    return content_type.partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Processing:
    """A job's DataProcessing."""

    input_filter: Path
    output_filter: Path
    joins: bool

    @property
    def reads_output(self) -> bool:
        """Whether predictions are read; otherwise they are written as the model answers them."""
        return self.joins or not self.output_filter.is_whole


def processing(described: Mapping[str, Any]) -> Processing:
    """A job's DataProcessing as its description has it; raises PathError."""
    return Processing(
        json_path.parse(described.get("InputFilter", "")),
        json_path.parse(described.get("OutputFilter", "")),
        described.get("JoinSource") == "Input",
    )


def read(body: bytes, kind: str, what: str) -> list[Any]:
    """The records in a body: rows of CSV as lists of texts, or JSON values. `what` names it in the message."""
    try:
        text = body.decode()
        if kind == CSV:
            return [row for row in csv.reader(text.split("\n"), strict=True) if row]
        if kind == JSON_LINES:
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        return list(_documents(text))
    except (ValueError, RecursionError, csv.Error) as error:
        name = {CSV: "CSV", JSON: "JSON", JSON_LINES: "JSON Lines"}[kind]
        raise FormatError(f"Failed to parse {what} as {name}: {error}") from error


def _documents(text: str) -> Iterator[Any]:
    """JSON values one after the other."""
    decoder = json.JSONDecoder()
    rest = text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        yield value
        rest = rest[end:].lstrip()


def write(records: list[Any], kind: str, path: Path) -> list[bytes]:
    """What a path selects of each record, each as a line without its end; raises FormatError."""
    try:
        selected = [path.select(record) for record in records]
    except PathError as error:
        raise FormatError(str(error)) from error
    if kind == CSV:
        return [_row(row if isinstance(row, list) else [row]) for row in selected]
    return [json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() for value in selected]


def _row(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue().encode()


def join(records: list[Any], predictions: list[Any], kind: str) -> list[Any]:
    """Each record with its prediction; raises FormatError if there is not one for each."""
    if len(records) != len(predictions):
        raise FormatError(
            f"Cannot join {len(predictions)} predictions with {len(records)} input records: the model must answer one "
            "prediction for each record"
        )
    joined = zip(records, predictions, strict=True)
    if kind == CSV:
        return [[*record, *prediction] for record, prediction in joined]
    return [
        {**(record if isinstance(record, dict) else {_INPUT: record}), _OUTPUT: prediction}
        for record, prediction in joined
    ]
