# SPDX-License-Identifier: Apache-2.0
"""What a training process uses of this machine, in SageMaker's metrics of a job's host; only where /proc is there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mlops.local.ministack import cloudwatch


class HostUsage:
    """Measures a process while it runs, and records once a second with the dimension Host.

    CPUUtilization (100 is one core) and MemoryUtilization, in percent.
    """

    def __init__(self, namespace: str, host: str, pid: int) -> None:
        self._namespace, self._dimensions = namespace, {"Host": host}
        self._folder = Path("/proc") / str(pid)
        self._since, self._cpu = time.monotonic(), 0.0
        self._seen: tuple[float, float] | None = None

    def look(self) -> None:
        """Measure; record if a second has gone by."""
        try:
            fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
            pages = int((self._folder / "statm").read_text().split()[1])
        except (OSError, IndexError):
            return  # another system, or the process has ended
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        self._seen = (seconds, 100 * pages / os.sysconf("SC_PHYS_PAGES"))
        if time.monotonic() - self._since >= 1:
            self.record()

    def record(self) -> None:
        """Record what was measured since the last time."""
        if self._seen is None:
            return
        moment, (cpu, memory) = time.monotonic(), self._seen
        share = 100 * (cpu - self._cpu) / max(moment - self._since, 0.001)
        for name, value in (("CPUUtilization", share), ("MemoryUtilization", memory)):
            cloudwatch.record_metric(self._namespace, name, [value], "Percent", self._dimensions)
        self._since, self._cpu, self._seen = moment, cpu, None
