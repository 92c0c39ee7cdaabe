# SPDX-License-Identifier: Apache-2.0
"""Packages the orchestrator with Chalice, which creates the zip's contents and the SAM template."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from mlops.deploy.archive import read_zip
from mlops.deploy.errors import PackageError
from mlops.deploy.template import Template

STAGE = "prod"
REGION = "us-east-1"  # required by Chalice, without effect on its output
_LEAVE_BEHIND = shutil.ignore_patterns("__pycache__", "deployments", "deployed", "vendor", "catalog")


@dataclass(frozen=True)
class Package:
    """The orchestrator, packaged."""

    files: dict[str, bytes]
    sam: Template


def package(orchestrator: Path, catalog: Path, packages: dict[str, bytes], overlay: Template, work: Path) -> Package:
    """Package a copy of the orchestrator with the catalog and the packages in it.

    Chalice merges the overlay into its template.
    """
    project = work / "orchestrator"
    shutil.copytree(orchestrator, project, ignore=_LEAVE_BEHIND)
    shutil.copytree(catalog, project / "chalicelib" / "catalog")
    _write(project / "vendor", packages)
    # The packages are already included; Chalice must not download any.
    (project / "requirements.txt").write_text("")
    merge = work / "overlay.json"
    merge.write_text(json.dumps(overlay))
    out = work / "packaged"
    chalice = ["-c", "from chalice.cli import main; main()", "package", "--stage", STAGE]
    _run([*chalice, "--merge-template", str(merge), str(out)], project)
    return Package(read_zip((out / "deployment.zip").read_bytes()), json.loads((out / "sam.json").read_text()))


def with_bytecode(files: dict[str, bytes], rarely_used: Collection[str], work: Path) -> dict[str, bytes]:
    """The files, with byte code for this Python version, so that a cold start does not compile.

    Lambda's file system is read-only, so Python cannot cache byte code there. Other Python versions ignore it. Files
    that are rarely used have none: byte code is twice as large as compressed source.
    """
    folder = work / "bytecode"
    _write(folder, {name: data for name, data in files.items() if name not in rarely_used})
    _run(
        ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder), str(folder)],
        folder,
    )
    compiled = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("__pycache__/*.pyc"))}
    return {**files, **compiled}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _run(arguments: list[str], where: Path) -> None:
    # A fixed hash seed, so that the order of sets does not affect the build.
    environment = {"AWS_DEFAULT_REGION": REGION, "PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PackageError((done.stderr or done.stdout).strip())
