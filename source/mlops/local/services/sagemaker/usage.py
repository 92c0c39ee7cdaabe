# SPDX-License-Identifier: Apache-2.0
"""What a job's processes use of this machine, in SageMaker's metrics of a job's host; only where /proc is there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mlops.local.ministack import cloudwatch


class HostUsage:
    """Measures a process and those it started while it runs, and records once a second with the dimension Host.

    CPUUtilization (100 is one core) and MemoryUtilization, in percent.
    """

    def __init__(self, namespace: str, host: str, pid: int) -> None:
        self._namespace, self._dimensions = namespace, {"Host": host}
        self._pid = pid
        self._since, self._cpu = time.monotonic(), 0.0
        self._seen: tuple[float, float] | None = None

    def look(self) -> None:
        """Measure; record if a second has gone by."""
        used = [found for pid in _family(self._pid) if (found := _of_process(pid))]
        if not used:
            return  # another system, or the process has ended
        ticks, pages = (sum(column) for column in zip(*used, strict=True))
        seconds = max(ticks / os.sysconf("SC_CLK_TCK"), self._cpu)  # what ended took its time with it
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


def _family(pid: int) -> list[int]:
    """A process and all that it started, as far as they live."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _family(int(child)))]


def _of_process(pid: int) -> tuple[int, int] | None:
    """Clock ticks of the CPU, of its ended children too, and pages of memory that a process has used."""
    folder = Path("/proc") / str(pid)
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15]), int((folder / "statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
