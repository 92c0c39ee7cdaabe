# SPDX-License-Identifier: Apache-2.0
"""An object of a batch transform job -> its records -> the bodies of the requests to the model.

A record keeps the padding of its format (RecordIO, TFRecord) in a request of several records, and loses it in a request
of one: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TransformInput.html (SplitType). Checksums of
TFRecord are not compared.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MEGABYTE = 2**20
_RECORDIO = struct.Struct("<II")  # magic number, flags and length
_RECORDIO_MAGIC = 0xCED7230A
_RECORDIO_LENGTH = 2**29 - 1
_TFRECORD = struct.Struct("<QI")  # length, its checksum; 4 bytes with the checksum of the data follow these


class RecordError(Exception):
    """The object is not what the job's SplitType says, or a record is too large for a request."""


@dataclass(frozen=True)
class Record:
    """One record: `data` without padding, `framed` with it."""

    data: bytes
    framed: bytes


def split(body: bytes, split_type: str) -> Iterator[Record]:
    """The records of an object, by a SplitType other than None. Empty lines are no records."""
    if split_type == "Line":
        for line in body.split(b"\n"):
            if line.strip():
                yield Record(line, line + b"\n")
    elif split_type == "RecordIO":
        yield from _recordio(body)
    else:
        yield from _tfrecord(body)


def _recordio(body: bytes) -> Iterator[Record]:
    position = 0
    while position < len(body):
        begin = position + _RECORDIO.size
        if begin > len(body):
            raise RecordError(f"the RecordIO record at byte {position} is cut off")
        magic, flags = _RECORDIO.unpack_from(body, position)
        length = flags & _RECORDIO_LENGTH
        if magic != _RECORDIO_MAGIC or flags != length:
            raise RecordError(f"byte {position} does not begin a RecordIO record")
        end = begin + (length + 3) // 4 * 4
        if end > len(body):
            raise RecordError(f"the RecordIO record at byte {position} is cut off")
        yield Record(body[begin : begin + length], body[position:end])
        position = end


def _tfrecord(body: bytes) -> Iterator[Record]:
    position = 0
    while position < len(body):
        begin = position + _TFRECORD.size
        length = _TFRECORD.unpack_from(body, position)[0] if begin <= len(body) else 0
        end = begin + length + 4
        if end > len(body):
            raise RecordError(f"the TFRecord record at byte {position} is cut off")
        yield Record(body[begin : begin + length], body[position:end])
        position = end


def batches(records: Iterable[Record], strategy: str, megabytes: int) -> Iterator[list[Record]]:
    """Groups of records, each for one request: as many as fit in it, or one. 0 megabytes: no limit."""
    limit = megabytes * MEGABYTE
    batch: list[Record] = []
    size = 0
    for record in records:
        length = len(record.data if strategy == "SingleRecord" else record.framed)
        check_size(length, megabytes)
        if batch and (strategy == "SingleRecord" or (limit and size + length > limit)):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch


def body_of(batch: list[Record], strategy: str) -> bytes:
    """The body of the request for a batch."""
    return batch[0].data if strategy == "SingleRecord" else b"".join(record.framed for record in batch)


def check_size(size: int, megabytes: int) -> None:
    """Refuse a request that is larger than MaxPayloadInMB allows."""
    if megabytes and size > megabytes * MEGABYTE:
        raise RecordError(f"Too much data for max payload size: {size} bytes, MaxPayloadInMB is {megabytes}")
