# SPDX-License-Identifier: Apache-2.0
"""Reproducible zip files that contain only pure Python.

Also reads the folders to zip, without leftover files.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from chalicelib.planning.bundle import pack

from mlops.deploy.errors import NativeCode

NATIVE = (".so", ".pyd", ".dylib", ".dll")
LEFTOVERS = [".*", "__pycache__", "*.py[co]", "*~", "#*#", "*.sw[op]", "*.bak", "*.orig", "*.rej", "*.tmp"]
LEFTOVERS += ["Thumbs.db", "desktop.ini", "__MACOSX"]
KEPT = (".chalice",)  # hidden, and read by Chalice


def write_zip(contents: Mapping[str, bytes]) -> bytes:
    """The zip of these files: sorted, with one date and one mode for all."""
    native = sorted(name for name in contents if name.endswith(NATIVE) or ".so." in name)
    if native:
        raise NativeCode(f"The zip can contain only pure Python; these files are compiled: {', '.join(native)}")
    return pack(contents, level=9)


def read_zip(data: bytes) -> dict[str, bytes]:
    """The files in a zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files under a folder by their path in it, without leftovers."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(is_leftover(part) for part in path.relative_to(folder).parts)
    }


def copy_folder(folder: Path, to: Path) -> Path:
    """Copy a folder without leftovers, and return the copy."""
    shutil.copytree(folder, to, ignore=lambda _, names: [name for name in names if is_leftover(name)])
    return to


def is_leftover(name: str) -> bool:
    """Whether a file or folder with this name was created by Python, an editor or an operating system."""
    return name not in KEPT and any(fnmatchcase(name, pattern) for pattern in LEFTOVERS)
