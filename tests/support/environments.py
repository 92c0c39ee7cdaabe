# SPDX-License-Identifier: Apache-2.0
"""Environments of processes: the tests' own, and those of what they start."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from mlops import process

# what changes how a terminal's text looks
OF_TERMINALS = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"}
OF_TERMINALS |= {"TTY_INTERACTIVE", "PAGER", "EDITOR"}
OTHERS_ACCOUNT = ("AWS_", "MLOPS_", "_MLOPS_")


def forget_how_we_were_started() -> None:
    """Have the tests of this process, and all that it starts, not depend on the shell that started it."""
    # a shell's background job starts with SIGINT ignored, and so would every process that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name in OF_TERMINALS or name.startswith(OTHERS_ACCOUNT)]:
        del os.environ[name]
    os.environ.update(process.no_proxy(os.environ))  # a proxy is for PyPI, not for accounts on this machine
    # Read when xgboost is loaded. Its threads would spin while they wait for one another, on cores that others need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def without_aws() -> dict[str, str]:
    """This process's environment without what leads to another account than the one a test means."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OTHERS_ACCOUNT)}


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
