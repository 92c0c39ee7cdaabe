# SPDX-License-Identifier: Apache-2.0
"""The process of a job's only container."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from mlops.local.containers import Program
from mlops.local.services.sagemaker.jobs import Run
from mlops.local.services.sagemaker.usage import HostUsage


def run_process(program: Program, folder: Path, log: Path, host: str, look: Callable[[], object], run: Run) -> str:
    """Run it in a folder with its output in a log, and call `look` while it runs.

    `host` is its name in the metrics of what it uses. Returns Completed, Failed, Stopped or MaxRuntimeExceeded.
    """
    with (
        log.open("wb") as output,
        subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=program.environment,
        ) as process,
    ):
        usage = HostUsage(run.log_group, host, process.pid)

        def look_at_both() -> None:
            look()
            usage.look()

        ended = run.follow(process, look_at_both)
        usage.record()
    return ended
