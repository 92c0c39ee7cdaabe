# SPDX-License-Identifier: Apache-2.0
"""What the processes of containers have in common: how they end, and with whom."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path


class WorkFailed(Exception):
    """The work cannot be done. The prefix and the message are the job's FailureReason."""

    prefix = "AlgorithmError"


def main(tree: Path, work: Callable[[], None]) -> int:
    """Do a job's work on its folder tree; returns the process's exit status.

    A failure leaves its reason in output/failure.
    """
    end_with_input()
    try:
        work()
    except WorkFailed as error:
        return _fail(tree, f"{error.prefix}: {error}")
    except Exception as error:
        traceback.print_exc()
        return _fail(tree, f"{WorkFailed.prefix}: {type(error).__name__}: {error}")
    return 0


def end_with_input() -> None:
    """End this process when its standard input closes: whoever started it holds that, and nobody else wants it."""
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def _fail(tree: Path, reason: str) -> int:
    print(reason, file=sys.stderr)
    (tree / "output" / "failure").write_text(reason)
    return 1
