# SPDX-License-Identifier: Apache-2.0
"""The process of a training job in script mode: `python -m mlops.local.containers.scripts.train TREE MODULE`.

Reads the job's configuration files, fetches the code, runs the script with SM_* variables and arguments, and leaves
output/failure in the toolkit's words if the script fails.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from mlops.local.containers.scripts import child, code, home
from mlops.local.containers.scripts.environment import Training
from mlops.local.containers.scripts.versions import banner


def main(tree: Path, framework_module: str) -> int:
    place = home.enter(tree)
    print(banner(place))
    config = tree / "input" / "config"

    def read(name: str) -> Any:
        return json.loads((config / name).read_text("utf-8"))

    job = Training(
        place,
        read("hyperparameters.json"),
        read("resourceconfig.json"),
        read("inputdataconfig.json"),
        framework_module,
        os.cpu_count() or 1,
        dict(os.environ),
    )
    folder = Path(place.path("code"))
    try:
        code.fetch(place.rewritten(job.submit_directory), folder)
        code.check_program(job.program, folder)
        code.check_requirements(folder)
    except code.CodeError as error:
        return _fail(tree, f"{error}, exit code: 1")
    command = _command(job, folder)
    environment = {**place.environment(os.environ), **job.variables(), "PYTHONPATH": str(folder)}
    print("Invoking script with the following command:\n\n" + shlex.join(command) + "\n\n")
    ended = child.run(command, environment, folder)
    if not ended.code:
        return 0
    reason = (
        f'ExecuteUserScriptError:\nExitCode {ended.code}\nErrorMessage "{ended.error}{place.note(ended.error)}"\n'
        f'Command "{" ".join(command)}"'
    )
    return _fail(tree, f"{reason}, exit code: {ended.code}")


def _command(job: Training, folder: Path) -> list[str]:
    """A package's module, a Python script, or a shell command, as the toolkit tells them apart."""
    if (folder / "setup.py").exists() and job.program.endswith(".py"):
        return [sys.executable, "-m", job.program.removesuffix(".py").replace("/", "."), *job.arguments]
    if job.program.endswith(".py"):
        return [sys.executable, job.program, *job.arguments]
    (folder / job.program).chmod(0o755)
    return ["/bin/sh", "-c", f"./{shlex.quote(job.program)} {shlex.join(job.arguments)}"]


def _fail(tree: Path, reason: str) -> int:
    """Leave the reason, unless the script itself has left one."""
    print(reason)
    failure = tree / "output" / "failure"
    if not failure.exists():
        failure.write_text(f"AlgorithmError: {reason}", "utf-8")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
