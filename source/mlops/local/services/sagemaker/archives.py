# SPDX-License-Identifier: Apache-2.0
"""Archives: what is packed into a .tar.gz, and what of one is let out again.

    folder -> bytes; bytes -> files below a folder, or an `Unusable` that says why not

An archive comes from whoever may write a bucket. So only regular files and folders leave it, below their folder, and no
more of them than a job here can use: however small it is packed.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class Unusable(Exception):
    """Why an archive cannot be unpacked, in words that follow «it»."""


@dataclass(frozen=True)
class Limits:
    """What may come out of one archive."""

    size: int = 2 * 2**30
    entries: int = 10_000
    ratio: int = 200  # unpacked to packed; text of one repeated line packs to a thousandth
    small: int = 256 * 2**20  # up to this size the ratio does not matter


LIMITS = Limits()


def pack(folder: Path) -> bytes | None:
    """A folder's regular files as a .tar.gz; nothing if there are none."""
    files = list(_regular_files(folder))
    if not files:
        return None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", dereference=True) as archive:  # so that hard links are files
        for file in files:
            archive.add(file, file.relative_to(folder).as_posix())
    return buffer.getvalue()


def _regular_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def unpack(archive: bytes, folder: Path, limits: Limits = LIMITS) -> None:
    """Unpack a .tar.gz below a folder."""
    if archive[:2] != b"\x1f\x8b":
        raise Unusable("is not a .tar.gz archive")
    try:
        with tarfile.open(fileobj=_Unzipping(archive, limits), mode="r|") as opened:
            for number, member in enumerate(opened, 1):
                if number > limits.entries:
                    raise Unusable(f"contains more than {limits.entries:,} files")
                if not (member.isdir() or member.isreg()) or member.issparse():
                    raise Unusable(
                        f"contains '{member.name}', which is {_kind(member)}; only regular files are allowed"
                    )
                opened.extract(member, folder, filter="data")
    except tarfile.ReadError as error:
        raise Unusable("is not a .tar.gz archive, or is damaged") from error
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise Unusable(f"is damaged, or cannot be unpacked ({error})") from error


def _kind(member: tarfile.TarInfo) -> str:
    kinds = {
        tarfile.SYMTYPE: "a symbolic link",
        tarfile.LNKTYPE: "a hard link",
        tarfile.CHRTYPE: "a device",
        tarfile.BLKTYPE: "a device",
        tarfile.FIFOTYPE: "a named pipe",
    }
    return kinds.get(member.type, "a sparse file" if member.issparse() else "of an unknown kind")


def gunzip(packed: bytes, target: Path, already: int = 0, limits: Limits = LIMITS) -> int:
    """Write what a .gz file holds; its size, which with `already` may be no more than the limit's."""
    if packed[:2] != b"\x1f\x8b":
        raise Unusable("is not gzip")
    source = _Unzipping(packed, limits, already)
    try:
        with target.open("wb") as file:
            while piece := source.read(2**20):
                file.write(piece)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unusable("is damaged gzip") from error
    return source.given


class _Unzipping(io.RawIOBase):
    """What a gzip stream unpacks to, as far as the limits let it."""

    def __init__(self, packed: bytes, limits: Limits, already: int = 0) -> None:
        self._packed, self._limits, self._already = len(packed), limits, already
        self._source = gzip.GzipFile(fileobj=io.BytesIO(packed))
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(size if size >= 0 else 2**20)
        self.given += len(piece)
        if self._already + self.given > self._limits.size:
            beside = " with the files before it" if self._already else ""
            raise Unusable(f"unpacks to more than {_megabytes(self._limits.size)}{beside}")
        if self.given > max(self._limits.small, self._packed * self._limits.ratio):
            raise Unusable(f"unpacks to more than {self._limits.ratio} times its size of {_megabytes(self._packed)}")
        return piece


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB" if size >= 2**20 else f"{size:,} bytes"
