# SPDX-License-Identifier: Apache-2.0
"""The packages in the orchestrator's zip: pure-Python wheels, pinned by hash in its requirements.txt.

They are downloaded once into a cache; later builds need no network.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from mlops.deploy.archive import read_zip
from mlops.deploy.errors import DependencyError

SHIPPED_PYTHON = "3.13"
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_KEPT_RECORDS = re.compile(
    r"\.dist-info/(METADATA|licenses/.*|(LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*)$", re.IGNORECASE
)
_NOT_TO_RUN = re.compile(r"(^|/)(tests?|benchmarks)/")


def shipped_packages(requirements: Path, cache: Path) -> dict[str, bytes]:
    """The files of every required package."""
    text = requirements.read_text()
    names = [name for name, _ in _REQUIREMENT.findall(text)]
    allowed = set(_HASH.findall(text))
    wheels = _cached(cache, allowed)
    if len(wheels) < len(names):
        wheels = _downloaded(requirements, cache, allowed)
    if len(wheels) != len(names):
        raise DependencyError(
            f"{requirements} lists {len(names)} packages, but only {len(wheels)} of the wheels in {cache} have a hash "
            "in it; pin every package, including dependencies, with the hash of its pure-Python wheel"
        )
    files: dict[str, bytes] = {}
    for wheel in wheels:
        files.update({name: data for name, data in read_zip(wheel).items() if _ships(name)})
    return files


def licences(package: str) -> dict[str, bytes]:
    """The license files of an installed package whose code is partly included."""
    files = importlib.metadata.files(package) or []
    return {
        file.as_posix(): file.read_binary()
        for file in files
        if _KEPT_RECORDS.search(file.as_posix()) and file.name != "METADATA"
    }


def _ships(name: str) -> bool:
    if ".dist-info/" in name:
        return _KEPT_RECORDS.search(name) is not None
    return not _NOT_TO_RUN.search(name) and not name.endswith((".pyi", "/py.typed"))


def _cached(cache: Path, allowed: set[str]) -> list[bytes]:
    contents = (path.read_bytes() for path in sorted(cache.glob("*-none-any.whl")))
    return [data for data in contents if hashlib.sha256(data).hexdigest() in allowed]


def _downloaded(requirements: Path, cache: Path, allowed: set[str]) -> list[bytes]:
    """Downloaded to a temporary folder, because another build can be reading the cache, or it can be read-only."""
    with tempfile.TemporaryDirectory(prefix="mlops-wheels-") as folder:
        _download(requirements, Path(folder))
        with suppress(OSError):  # a cache that cannot be written is filled by a later build
            cache.mkdir(parents=True, exist_ok=True)
            for wheel in Path(folder).glob("*.whl"):
                part = cache / f".{wheel.name}.{os.getpid()}"
                shutil.copyfile(wheel, part)
                part.replace(cache / wheel.name)
        return _cached(Path(folder), allowed)


def _download(requirements: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--platform", "any", "--implementation", "py"]
    command += ["--abi", "none", "--python-version", SHIPPED_PYTHON]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DependencyError(f"pip could not download the orchestrator's requirements:\n{done.stderr.strip()}")
