# SPDX-License-Identifier: Apache-2.0
"""A file of changes, from which the records of an account are read again.

In: all records as they are now, each as bytes under a key. Out: one frame appended with those that changed, so that the
file always holds the records of one moment together. A frame that was cut off while it was written is dropped when the
file is read. Once most of the file is out of date, it is written anew.

What is written survives the end of this process, a kill included; it is not forced to the disk for a power failure.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Key = tuple[Any, ...]

freeze = pickle.dumps
"""The bytes of a record. Of plain data it runs without giving way to another thread: they are of one moment."""

_HEADER = struct.Struct(">QI")  # length and checksum of a frame
_START = b"mlops-journal 1\n"
_OUT_OF_DATE = 16 * 1024 * 1024  # bytes that are not worth writing the file anew


# Beside what pickle writes without naming a class, such as dictionaries and text. No class of this package is among
# them: so a build that has moved its classes reads the journal of one before it, and nothing in a journal runs code.
_CLASSES = frozenset(
    {
        ("builtins", "bytearray"),
        ("builtins", "dict"),
        ("builtins", "frozenset"),
        ("builtins", "int"),
        ("builtins", "list"),
        ("builtins", "set"),
        ("collections", "OrderedDict"),
        ("collections", "defaultdict"),
        ("collections", "deque"),
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("dateutil.tz.tz", "tzlocal"),
        ("dateutil.tz.tz", "tzutc"),
    }
)


class Unreadable(Exception):
    """The journal cannot be read; the message says why."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _CLASSES:
            raise Unreadable(f"it holds a {module}.{name}, which this version does not write")
        return super().find_class(module, name)


def thaw(blob: bytes) -> Any:
    """The record again; Unreadable for what `freeze` does not make of plain data."""
    try:
        return _Unpickler(io.BytesIO(blob)).load()
    except Unreadable:
        raise
    except Exception as error:  # pickle raises whatever its bytes lead to
        raise Unreadable(f"a record in it is damaged: {error}") from error


class Journal:
    """Call `read` once, then `write` as often as something may have changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: dict[Key, bytes] = {}
        self._file = -1
        self._size = 0

    def read(self) -> Mapping[Key, bytes]:
        """The records as they were last written; Unreadable where there are none that this version can read."""
        content = self.path.read_bytes() if self.path.exists() else b""
        if content and not content.startswith(_START):
            raise Unreadable("it is not a journal, or was written by another version")
        offset = len(_START)
        while content:
            frame = _frame(content, offset)
            if frame is None:
                break
            for key, blob in thaw(frame):
                if blob is None:
                    self._kept.pop(key, None)
                else:
                    self._kept[key] = blob
            offset += _HEADER.size + len(frame)
        self._open(offset if content else 0)
        return self._kept

    def write(self, records: Mapping[Key, bytes]) -> bool:
        """Append what changed since the last time, if anything did. OSError: nothing was written, and it is due."""
        changes: list[tuple[Key, bytes | None]] = [
            (key, blob) for key, blob in records.items() if self._kept.get(key) != blob
        ]
        changes += [(key, None) for key in self._kept.keys() - records.keys()]
        if not changes:
            return False
        self._append(_framed(changes))
        self._kept = dict(records)
        if self._size > 2 * sum(map(len, records.values())) + _OUT_OF_DATE:
            self._write_anew()
        return True

    def _open(self, size: int) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, size)
        os.lseek(self._file, size, os.SEEK_SET)
        self._size = size

    def _append(self, frame: bytes) -> None:
        if not self._size:
            frame = _START + frame
        try:
            _write_all(self._file, frame)
        except OSError:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._size += len(frame)

    def _write_anew(self) -> None:
        part = self.path.with_suffix(".part")
        content = _START + _framed(list(self._kept.items()))
        try:
            part.write_bytes(content)
            part.replace(self.path)
        except OSError:
            part.unlink(missing_ok=True)  # the old file is whole: the next change tries again
            return
        os.close(self._file)
        self._open(len(content))


def _framed(changes: list[Any]) -> bytes:
    frame = pickle.dumps(changes, pickle.HIGHEST_PROTOCOL)
    return _HEADER.pack(len(frame), zlib.crc32(frame)) + frame


def _frame(content: bytes, offset: int) -> bytes | None:
    """The frame at an offset; None at the end, and where the writing of one was cut off."""
    if offset + _HEADER.size > len(content):
        return None
    length, checksum = _HEADER.unpack_from(content, offset)
    frame = content[offset + _HEADER.size : offset + _HEADER.size + length]
    return frame if len(frame) == length and zlib.crc32(frame) == checksum else None


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
