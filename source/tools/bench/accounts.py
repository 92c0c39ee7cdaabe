# SPDX-License-Identifier: Apache-2.0
"""Accounts as processes: ours, and ministack without anything of ours."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlops.cli import account

_PATIENCE = 30  # seconds


@dataclass(frozen=True)
class Running:
    """An account that answers."""

    pid: int
    ready: float  # seconds from its start
    memory: float  # bytes at its peak, when it was ready
    words: dict[str, str] = field(default_factory=dict)  # what ours says of itself

    @property
    def address(self) -> str:
        return self.words["aws_endpoint_url"].removeprefix("http://")


@contextmanager
def ours() -> Iterator[Running]:
    begun = time.perf_counter()
    process = account.start(0, None)
    try:
        words = account.ready(process, 0, None)
        yield Running(process.pid, time.perf_counter() - begun, peak_memory(process.pid), words)
    finally:
        account.stop(process)


@contextmanager
def ministack() -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": "CRITICAL",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "ministack.app"], env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/_ministack/health")
        yield Running(process.pid, time.perf_counter() - begun, peak_memory(process.pid))
    finally:
        process.terminate()
        process.wait()


def peak_memory(pid: int) -> float:
    """Bytes; where there is no /proc, what it has now."""
    try:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except FileNotFoundError:
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
        kilobytes = int(told.stdout)
    return kilobytes * 1024


def _wait(url: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 (ours, on 127.0.0.1)
            return
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
