# SPDX-License-Identifier: Apache-2.0
"""The work of a batch transform job on one object: its requests to the model, and its output out of the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlops.local.services.sagemaker.transform import joining, records
from mlops.local.services.sagemaker.transform.joining import Processing
from mlops.local.services.sagemaker.transform.records import Record

DEFAULT_PAYLOAD = 6  # megabytes, the default of MaxPayloadInMB


@dataclass(frozen=True)
class Work:
    """What a job says of the data: members of its description."""

    content_type: str
    accept: str
    split_type: str
    strategy: str
    megabytes: int  # of a request, at most; 0: any
    in_lines: bool  # AssembleWith
    processing: Processing

    @property
    def shown_strategy(self) -> str:
        """The strategy as the job's log names it."""
        return "SINGLE_RECORD" if self.strategy == "SingleRecord" else "MULTI_RECORD"


@dataclass(frozen=True)
class Request:
    """A request to the model, and the input records in it if they are to be joined."""

    body: bytes
    rows: list[Any]


def work_of(job: Mapping[str, Any]) -> Work:
    """The work of a job, by its description; raises PathError."""
    given, output = job["TransformInput"], job["TransformOutput"]
    split_type = given.get("SplitType", "None")
    default = "SingleRecord" if split_type == "None" else "MultiRecord"
    return Work(
        given.get("ContentType", ""),
        output.get("Accept", ""),
        split_type,
        job.get("BatchStrategy", default),
        job.get("MaxPayloadInMB", DEFAULT_PAYLOAD),
        output.get("AssembleWith", "None") == "Line",
        joining.processing(job.get("DataProcessing", {})),
    )


def requests(body: bytes, work: Work) -> Iterator[Request]:
    """The requests for an object; raises RecordError and FormatError."""
    filtered = not work.processing.input_filter.is_whole
    kind = joining.format_of(work.content_type)
    if work.split_type == "None":
        rows = joining.read(body, kind, "input") if filtered or work.processing.joins else []
        if filtered:
            body = b"\n".join(joining.write(rows, kind, work.processing.input_filter))
        records.check_size(len(body), work.megabytes)
        if body:
            yield Request(body, rows)
        return
    found = list(records.split(body, work.split_type))
    rows = []
    if filtered or work.processing.joins:
        rows = [_row(record, kind) for record in found]
    if filtered:
        found = [Record(line, line + b"\n") for line in joining.write(rows, kind, work.processing.input_filter)]
    first = 0
    for batch in records.batches(found, work.strategy, work.megabytes):
        yield Request(records.body_of(batch, work.strategy), rows[first : first + len(batch)])
        first += len(batch)


def _row(record: Record, kind: str) -> Any:
    rows = joining.read(record.data, kind, "input")
    if len(rows) != 1:
        raise joining.FormatError(f"Failed to parse input: a record contains {len(rows)} records of its format")
    return rows[0]


def output(request: Request, prediction: bytes, content_type: str, work: Work) -> bytes:
    """What is written for a request: the model's answer, filtered and joined; raises FormatError."""
    if not work.processing.reads_output:
        return _ended(prediction) if work.in_lines else prediction
    kind = joining.format_of(work.accept or content_type)
    if kind not in joining.FORMATS:
        raise joining.FormatError(f"Output of the content type {kind} cannot be filtered or joined")
    rows = joining.read(prediction, kind, "output from the algorithm")
    if work.processing.joins:
        rows = joining.join(request.rows, rows, kind)
    lines = joining.write(rows, kind, work.processing.output_filter)
    if work.in_lines or len(lines) > 1:
        return b"".join(line + b"\n" for line in lines)
    return b"".join(lines)


def _ended(prediction: bytes) -> bytes:
    return prediction if not prediction or prediction.endswith(b"\n") else prediction + b"\n"
