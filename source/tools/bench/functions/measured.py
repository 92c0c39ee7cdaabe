# SPDX-License-Identifier: Apache-2.0
"""Wraps a function's own handler, named in MEASURED_HANDLER: the event "usage" is answered with what its process used.

Runs inside the function's process, so it imports nothing but the standard library.
"""

import importlib
import os
import sys
import time
from typing import Any

_module, _name = os.environ["MEASURED_HANDLER"].rsplit(".", 1)
_measured = getattr(importlib.import_module(_module), _name)


def handler(event: Any, context: Any) -> Any:
    """The handler's answer, or the process's usage."""
    return usage() if event == "usage" else _measured(event, context)


def usage() -> dict[str, Any]:
    """CPU seconds, peak memory in bytes, and the modules that were imported with their files."""
    modules = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {"cpu": time.process_time(), "memory": peak_memory(), "modules": modules}


def peak_memory() -> int:
    """Of this program alone: getrusage would count the program that it was forked from."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 pathlib would be measured, too
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    except FileNotFoundError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
