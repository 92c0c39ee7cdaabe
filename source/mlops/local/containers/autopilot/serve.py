# SPDX-License-Identifier: Apache-2.0
"""Answers with a model: `python -m mlops.local.containers.autopilot.serve FOLDER`.

Reads requests from its standard input and writes responses to its standard output, each a line of JSON, which says how
many bytes follow it, and these bytes. The first line that it writes says whether the model can be served.

    text/csv          rows without header and target, their cells in the order of the training data's columns
    application/json  {"instances": [[cell, …], …]}

    text/csv          a line for each row; several keys in columns, lists as JSON
    application/json  {"predictions": [{"predicted_label": …}, …]}; of a regression {"score": …}
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from mlops.local.containers.autopilot import ACCEPT, OUTPUT, OUTPUT_KEYS, artifact, objectives, table
from mlops.local.containers.autopilot.artifact import Description
from mlops.local.containers.autopilot.errors import DataError
from mlops.local.containers.autopilot.metrics import Numbers
from mlops.local.containers.base import InferenceError

_CSV, _JSON = "text/csv", "application/json"


def main(folder: Path) -> int:
    """Serve until the standard input ends; the process's exit status."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints must not come between responses
    try:
        keys = output_keys(os.environ.get(OUTPUT, OUTPUT_KEYS[0]))
        model, description = artifact.load(folder)
    except artifact.Unusable as error:
        _write(target, {"problem": str(error)}, b"")
        return 1
    _write(target, {}, b"")
    while line := source.readline():
        request = json.loads(line)
        body = source.read(request["size"])
        try:
            accepted = _accepted(request["accept"] or os.environ.get(ACCEPT, _CSV))
            rows = read(body, request["content_type"], description.columns)
            content = write(model.predict(rows), description, keys, accepted)
            _write(target, {"status": 200, "content_type": accepted}, content)
        except InferenceError as error:
            _write(target, {"status": error.status}, error.message.encode())
        except Exception as error:
            _write(target, {"status": 500}, f"{type(error).__name__}: {error}".encode())
    return 0


def _write(target: BinaryIO, answer: Mapping[str, Any], content: bytes) -> None:
    target.write(json.dumps({**answer, "size": len(content)}).encode() + b"\n" + content)
    target.flush()


def output_keys(text: str) -> tuple[str, ...]:
    """What to answer with, of a classification: names with commas between them. Raises Unusable."""
    keys = tuple(key.strip() for key in text.split(",") if key.strip()) or OUTPUT_KEYS[:1]
    unknown = [key for key in keys if key not in OUTPUT_KEYS]
    if unknown:
        raise artifact.Unusable(
            f"cannot be served with {OUTPUT} '{text}': '{unknown[0]}' is not one of {', '.join(OUTPUT_KEYS)}"
        )
    return keys


def read(body: bytes, content_type: str, columns: Sequence[str]) -> table.Rows:
    """The rows of a request. Raises InferenceError."""
    kind = (content_type or _CSV).split(";")[0].strip().lower()
    if kind not in (_CSV, _JSON):
        raise InferenceError(415, f"Content type {kind} is not supported; use {_CSV} or {_JSON}.")
    try:
        text = body.decode("utf-8-sig")
        rows = table.parse(text, "the request") if kind == _CSV else _instances(text)
    except (DataError, ValueError, RecursionError) as error:
        raise InferenceError(400, f"The request cannot be read as {kind}: {error}") from error
    if not rows:
        raise InferenceError(400, "The request has no rows.")
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            raise InferenceError(
                400,
                f"Row {number} has {len(row)} cells; the model takes {len(columns)}: {', '.join(columns)}",
            )
    if [cell.strip() for cell in rows[0]] == list(columns):
        raise InferenceError(400, "Row 1 is the header; send the rows without it.")
    return table.cells(rows, len(columns))


def _instances(text: str) -> list[list[str]]:
    value = json.loads(text)
    rows = value.get("instances") if isinstance(value, dict) else value
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise ValueError('expected {"instances": [[…], …]}')
    return [["" if cell is None else str(cell) for cell in row] for row in rows]


def write(found: Numbers, description: Description, keys: Sequence[str], accepted: str) -> bytes:
    """The response to the rows for which the model found probabilities or values."""
    if description.problem == objectives.REGRESSION:
        predictions: list[dict[str, Any]] = [{"score": value} for value in found.tolist()]
    else:
        predictions = [_prediction(row, description.labels, keys) for row in found]
    if accepted == _JSON:
        return json.dumps({"predictions": predictions}).encode()
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for one in predictions:
        writer.writerow([json.dumps(value) if isinstance(value, list) else value for value in one.values()])
    return lines.getvalue().encode()


def _prediction(probabilities: Numbers, labels: Sequence[str], keys: Sequence[str]) -> dict[str, Any]:
    best = int(probabilities.argmax())
    everything = {
        "predicted_label": labels[best],
        "labels": list(labels),
        "probability": float(probabilities[best]),
        "probabilities": probabilities.tolist(),
    }
    return {key: everything[key] for key in keys}


def _accepted(accept: str) -> str:
    for wanted in accept.lower().split(","):
        kind = wanted.split(";")[0].strip()
        if kind in ("*/*", "text/*", _CSV):
            return _CSV
        if kind == _JSON:
            return _JSON
    raise InferenceError(406, f"Accept {accept} is not supported; use {_CSV} or {_JSON}.")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
