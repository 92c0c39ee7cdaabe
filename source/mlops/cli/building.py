# SPDX-License-Identifier: Apache-2.0
"""Builds this source tree, like build-s3-dist.sh, and uploads the build."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlops.cli.connection import Connection
from mlops.cli.failures import Failure, last_line
from mlops.deploy import regions, template
from mlops.deploy.build import Sources
from mlops.deploy.upload import GLOBAL_ASSETS, MAIN_TEMPLATE
from mlops.deploy.upload import upload as upload_build

SOLUTION = "mlops-orchestrator"


@dataclass(frozen=True)
class Build:
    """A build: its folder, its version and the buckets to upload it to."""

    folder: Path
    bucket: str
    solution: str
    version: str

    def check(self, connection: Connection) -> None:
        """Raise InstallError if it cannot be installed in the region of a connection."""
        regions.check(connection.region_name, self.folder)

    def upload(self, connection: Connection) -> str:
        """Upload to the buckets, which are created if missing. Returns the main template's URL."""
        return upload_build(connection.session, self.folder, self.bucket, self.solution, self.version, create=True)


def build(folder: Path, bucket: str, version: str | None = None) -> Build:
    """Build this source tree. The default version is a digest of the sources."""
    with building(folder, bucket, version) as finished:
        return finished()


@contextmanager
def building(folder: Path, bucket: str, version: str | None = None) -> Iterator[Callable[[], Build]]:
    """The same in the background: what is given waits for the end. A build that nobody waited for is ended."""
    built = Build(folder, bucket, SOLUTION, version or f"v{Sources().version()}")
    command = [sys.executable, "-m", "mlops.deploy.build", bucket, SOLUTION, built.version, "--out", str(folder)]
    environment = {**os.environ, "PYTHONUTF8": "1"}  # the sources are in UTF-8, whatever the locale is
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:

        def finished() -> Build:
            output, errors = process.communicate()
            if process.returncode:
                reason = last_line(errors or output)
                raise Failure(f"The build failed: {reason}", f"for the full output, run: {shlex.join(command)}")
            return built

        try:
            yield finished
        finally:
            process.terminate()


def existing(folder: Path) -> Build:
    """An existing build. Its main template names its buckets."""
    path = folder / GLOBAL_ASSETS / MAIN_TEMPLATE
    if not path.is_file():
        raise Failure(f"No build found in {folder}", "create one: deployment/build-s3-dist.sh BUCKET SOLUTION VERSION")
    source = template.load(path)["Mappings"]["Distribution"]["Source"]
    solution, version = source["Prefix"].split("/")
    return Build(folder, source["Bucket"], solution, version)
