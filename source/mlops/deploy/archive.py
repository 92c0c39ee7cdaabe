# SPDX-License-Identifier: Apache-2.0
"""Zip files whose bytes depend on their contents alone, and that hold nothing but pure Python."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from chalicelib.bundle import pack

from mlops.deploy.errors import NativeCode

NATIVE = (".so", ".pyd", ".dylib", ".dll")


def write_zip(contents: Mapping[str, bytes]) -> bytes:
    """The zip of these files: sorted, with one date and one mode for all."""
    native = sorted(name for name in contents if name.endswith(NATIVE) or ".so." in name)
    if native:
        raise NativeCode(f"Only pure Python may ship, but these files are compiled: {', '.join(native)}")
    return pack(contents, level=9)


def read_zip(data: bytes) -> dict[str, bytes]:
    """The files in a zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files under a folder by their path in it, without what Python and editors leave behind."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
