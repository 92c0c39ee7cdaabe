# SPDX-License-Identifier: Apache-2.0
"""A Python that sees what Lambda's sees: boto3 and what it needs, and nothing else that is installed here."""

from __future__ import annotations

import importlib.util
import sysconfig
import venv
from collections.abc import Iterable
from pathlib import Path

RUNTIME_PACKAGES = (
    "boto3",
    "botocore",
    "s3transfer",
    "urllib3",
    "jmespath",
    "dateutil",
    "six",
    "snapshot_restore_py",
)


def make(directory: Path, packages: Iterable[str] = RUNTIME_PACKAGES) -> Path:
    """Make a virtual environment that holds links to these packages of ours; the path of its interpreter."""
    builder = venv.EnvBuilder(symlinks=True, with_pip=False, clear=True)
    builder.create(directory)
    theirs = Path(sysconfig.get_path("purelib", vars={"base": str(directory), "platbase": str(directory)}))
    for package in packages:
        spec = importlib.util.find_spec(package)  # wherever it was installed: beside us, for the user, for the system
        if spec and spec.origin:
            ours = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
            (theirs / ours.name).symlink_to(ours)
    return directory / "bin" / "python"
