# SPDX-License-Identifier: Apache-2.0
"""The process of a job with an entrypoint of its own: `python -m mlops.local.containers.scripts.process TREE COMMAND`.

Runs the command in the container's file system: `python3` is the laptop's, and so are absolute paths of interpreters
that this machine hasn't. Fails as the command does; what it says of its end is in output/ (`failure` or `message`).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from mlops.local.containers.scripts import child, home
from mlops.local.containers.scripts.versions import banner

_PYTHON = re.compile(r"/\S*/python(3(\.\d+)?)?")


def main(tree: Path, given: Sequence[str]) -> int:
    place = home.enter(tree)
    print(banner(place))
    command = [_interpreter(argument) for argument in place.arguments(given)]
    ended = child.run(command, place.environment(os.environ), Path(os.environ["HOME"]))
    if not ended.code:
        return 0
    failure = tree / "output" / "failure"
    said = failure.read_text("utf-8", "replace").strip() if failure.is_file() else ""
    reason = said or ended.error or "See job logs for more information"
    failure.write_text(f"AlgorithmError: {reason}{place.note(reason)}, exit code: {ended.code}", "utf-8")
    return 1


def _interpreter(argument: str) -> str:
    """An interpreter of the image's, as the one that is here."""
    return sys.executable if _PYTHON.fullmatch(argument) and not Path(argument).exists() else argument


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
