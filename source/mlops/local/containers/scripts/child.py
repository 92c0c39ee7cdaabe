# SPDX-License-Identifier: Apache-2.0
"""Runs a command of the user's in a process group of its own, and ends with whoever started this.

The command's standard output is this process's own: the job's log. Its standard error goes there too, and its end is
kept, for the reason of a failure.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_GRACE = 8.0  # seconds to end after SIGTERM; less than the account gives this process
_KEPT_LINES = 200
_LONGEST = 600  # characters of an error that are kept
_FRAMES = re.compile(r"Traceback \(most recent call last\):|^\s")


@dataclass(frozen=True)
class Ended:
    """How a command ended: 0, its exit code, or the negative number of the signal that ended it."""

    code: int
    error: str


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Ended:
    """Run to the end. The command and what it started are killed when this process's input closes or it is stopped."""
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return Ended(127, f"{type(error).__name__}: {error}")
    signal.signal(signal.SIGTERM, lambda *_: _stop(process))
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    code = process.wait()
    reader.join(1)  # what the command left behind may hold its error output open
    _kill(process)
    return Ended(code, last_error(list(lines)) or _signal_name(code))


def _read(process: subprocess.Popen[bytes], lines: deque[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    """Whoever started this process holds its standard input: once that is closed, nobody wants the result."""
    while os.read(0, 4096):
        pass
    _kill(process)
    os._exit(1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM for the command, and SIGKILL if it does not end."""
    _signal(process, signal.SIGTERM)
    timer = threading.Timer(_GRACE, _kill, (process,))
    timer.daemon = True
    timer.start()


def _kill(process: subprocess.Popen[bytes]) -> None:
    _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """To the command's whole group, of which some may live when the command has ended."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return  # all have ended


def _signal_name(code: int) -> str:
    return f"the process was ended by {signal.Signals(-code).name}" if code < 0 else ""


def last_error(lines: Sequence[str]) -> str:
    """What a traceback ends with; the last line where there is no traceback."""
    text = [line for line in lines if line.strip()]
    for number in reversed(range(len(text))):
        if _FRAMES.match(text[number]):
            after = text[number + 1 :]
            if after:
                return " ".join(line.strip() for line in after)[:_LONGEST]
            break
    return text[-1].strip()[:_LONGEST] if text else ""
