# SPDX-License-Identifier: Apache-2.0
"""The laptop account as a child process, which stops when its parent ends for any reason.

Its stdin is a pipe from the parent. Nothing is written to the pipe; end of file means that the parent has ended.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from mlops.local.process.server import main


def end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
