# SPDX-License-Identifier: Apache-2.0
"""Script mode: the user's own code, run as SageMaker's toolkits run it in the images of frameworks.

    home.py          the container's file system: a folder tree stands for /opt/ml
    environment.py   SM_* variables and arguments, from the job's configuration files
    versions.py      what stands in for the image's packages
    code.py          the script, from S3 or from the tree, and what it requires
    child.py         a process whose output is the log, which ends with the account
    train.py         a training job         process.py      a processing job
    serve.py         a model's process      predictor.py    the account's side of it
    *_defaults.py    what a serving script leaves to its toolkit
    formats.py       bodies that toolkits read and write

This runs the user's code on their machine, as their user, without a sandbox. It gets a clean environment with the
credentials of its role; see docs/laptop.md.

What the toolkits do was read in aws/sagemaker-training-toolkit (environment.py, mapping.py, entry_point.py, errors.py),
aws/sagemaker-containers (_encoders.py, _transformer.py, _worker.py) and the two containers (handler_service.py).
"""

from __future__ import annotations

import json
import os
import site
import sys
from collections.abc import Mapping
from pathlib import Path

from mlops.local.containers.base import CannotRun, Job, Model, Predictor, Program

PROGRAM, SUBMIT_DIRECTORY = "SAGEMAKER_PROGRAM", "SAGEMAKER_SUBMIT_DIRECTORY"
_KEPT = ("LANG", "LANGUAGE", "TZ", "TMPDIR", "USER", "LOGNAME")
_KEPT_KINDS = ("LC_", "LD_", "DYLD_", "MALLOC_", "OMP_", "OPENBLAS_")


def is_script(job: Job) -> bool:
    """Whether a training job names a script of the user's."""
    hyperparameters = json.loads((job.tree / "input/config/hyperparameters.json").read_text("utf-8"))
    return "sagemaker_program" in hyperparameters or PROGRAM in job.environment


def training(job: Job, framework_module: str) -> Program:
    """The program of a training job: the script, or the job's own entrypoint."""
    inputs = json.loads((job.tree / "input/config/inputdataconfig.json").read_text("utf-8"))
    if piped := [name for name, channel in inputs.items() if channel["TrainingInputMode"] == "Pipe"]:
        raise CannotRun(
            f"The laptop account has no pipes for scripts. Use the input mode File or FastFile for {', '.join(piped)}."
        )
    if job.arguments and not job.entrypoint:
        raise CannotRun("ContainerArguments without a ContainerEntrypoint are not supported by the laptop account.")
    if job.entrypoint:
        return _program("process", job.tree, job.environment, *job.entrypoint, *job.arguments)
    return _program("train", job.tree, job.environment, framework_module)


def processing(job: Job) -> Program:
    """The program of a processing job."""
    if not job.entrypoint:
        raise CannotRun(
            "The image has no entrypoint of its own for processing. Name one in AppSpecification.ContainerEntrypoint, "
            'for example ["python3", "/opt/ml/processing/input/code/preprocess.py"].'
        )
    return _program("process", job.tree, job.environment, *job.entrypoint, *job.arguments)


def serving(model: Model, toolkit: str) -> Predictor:
    """A process that answers with the model's script, with the defaults of a toolkit: sklearn or xgboost."""
    from mlops.local.containers.scripts.predictor import ScriptPredictor  # starts threads: only where needed

    given = {**model.access, **model.environment}
    return ScriptPredictor(_program("serve", model.folder.parent, given, toolkit), model)


def _program(module: str, tree: Path, given: Mapping[str, str], *arguments: str) -> Program:
    command = [sys.executable, "-u", "-P", "-m", f"{__name__}.{module}", str(tree), *arguments]
    return Program(command, {**_host(tree), **given})


def _host(tree: Path) -> dict[str, str]:
    """What a script may know of this machine: nothing of the user's settings and secrets."""
    home = tree.parent / f"{tree.name}-home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_KINDS)}
    user_packages = {"PYTHONUSERBASE": site.getuserbase()} if site.ENABLE_USER_SITE else {}
    return {
        **kept,
        **user_packages,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath, "/usr/local/bin"]),
        "HOME": str(home),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
