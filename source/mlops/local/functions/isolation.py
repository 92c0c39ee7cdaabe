# SPDX-License-Identifier: Apache-2.0
"""What a Lambda function sees: boto3, its own zip and Lambda's environment, and nothing of this machine.

On Lambda a dependency that was forgotten in the zip is missing. So it must be here, where the account shares
an interpreter with everything the developer has installed: functions run in a virtual environment of their
own that holds links to what Lambda's Python runtime brings.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlops.local.functions import gate, interpreter
from mlops.local.ministack import functions

_LAMBDA_VARIABLES = ("AWS_", "_LAMBDA_", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "_HANDLER", "_X_AMZN_TRACE_ID")


def install(directory: Path) -> None:
    """Start every Python function in an isolated virtual environment made in `directory`, and not too many at once."""
    functions.isolate_functions(str(interpreter.make(directory)), _environment)
    functions.bound(gate.size(gate.cores(), gate.memory()))


def _environment(made: Mapping[str, str]) -> dict[str, str]:
    """Lambda's own variables; the function's are set by ministack's worker before it loads the handler."""
    kept = {name: value for name, value in made.items() if name.startswith(_LAMBDA_VARIABLES)}
    return {**kept, "PATH": os.defpath, "LANG": "en_US.UTF-8", "TZ": ":UTC"}
