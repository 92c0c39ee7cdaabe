# SPDX-License-Identifier: Apache-2.0
"""The user's code: from where the request says into the folder where the toolkits have it, with what it requires.

    fetch("s3://bucket/sourcedir.tar.gz", folder); check_requirements(folder)

Nothing is installed on this machine: requirements are met by what is here already, or refused.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

_FILE = "requirements.txt"


class CodeError(Exception):
    """The code cannot be run; the message says why, in the words of a toolkit."""


def fetch(source: str, folder: Path) -> None:
    """Put the code into `folder`, with this process's credentials if it is in S3; what is there already stays."""
    source = source.removeprefix("file://")
    path = Path(source)
    if path == folder and folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    if source.startswith("s3://"):
        with tempfile.TemporaryDirectory() as temporary:
            archive = Path(temporary, "sourcedir.tar.gz")
            _download(source, archive)
            _unpack(archive, folder, source)
    elif path.is_dir():
        shutil.copytree(path, folder, dirs_exist_ok=True)
    elif not path.is_file():
        raise CodeError(f"FileNotFoundError: {source} (sagemaker_submit_directory) does not exist")
    elif tarfile.is_tarfile(path):
        _unpack(path, folder, source)
    else:
        shutil.copy2(path, folder)


def _download(uri: str, target: Path) -> None:
    import boto3  # only where something is in S3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        boto3.client("s3").download_file(bucket, key, str(target))
    except (ClientError, BotoCoreError) as error:
        raise CodeError(f"framework error: {type(error).__name__}: {error} ({uri})") from error


def _unpack(archive: Path, folder: Path, source: str) -> None:
    try:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise CodeError(f"framework error: {type(error).__name__}: {error} ({source})") from error


def check_program(program: str, folder: Path) -> None:
    """Refuse a script that isn't in its folder."""
    if not (folder / program).is_file():
        held = ", ".join(sorted(path.name for path in folder.iterdir())[:20]) or "nothing"
        raise CodeError(f"ImportModuleError: {program} (sagemaker_program) is not in the code, which contains {held}")


def check_requirements(folder: Path) -> None:
    """Refuse what requirements.txt asks for and this machine has not."""
    path = folder / _FILE
    if not path.is_file():
        return
    wrong = [problem for line in path.read_text("utf-8", "replace").splitlines() for problem in _unmet(line)]
    if wrong:
        raise CodeError(
            f"InstallRequirementsError: The laptop account installs no packages, and {_FILE} requires "
            f"{'; '.join(wrong)}. Install them beside mlops, or remove them from {_FILE}."
        )


def _unmet(line: str) -> Iterator[str]:
    text = line.partition(" #")[0].strip()
    if not text or text.startswith("#"):
        return
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        yield f"'{text[:100]}', which is not a name with a version"
        return
    if requirement.url:
        yield f"'{text[:100]}' from an address"
    elif requirement.marker is None or requirement.marker.evaluate():
        yield from _missing(requirement)


def _missing(requirement: Requirement) -> Iterator[str]:
    """The requirement, if it isn't met; then those of its extras."""
    try:
        installed = metadata.distribution(requirement.name)
    except metadata.PackageNotFoundError:
        yield f"{requirement}, which is not installed"
        return
    if not requirement.specifier.contains(installed.version, prereleases=True):
        yield f"{requirement}, and {installed.version} is installed"
        return
    for extra in requirement.extras:
        for text in installed.requires or []:
            wanted = Requirement(text)
            if wanted.marker and wanted.marker.evaluate({"extra": extra}) and not wanted.marker.evaluate({"extra": ""}):
                yield from _missing(wanted)
