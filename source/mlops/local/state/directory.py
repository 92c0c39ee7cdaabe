# SPDX-License-Identifier: Apache-2.0
"""The directory that holds the account's state: one account's at a time, for as long as its process lives.

In: the directory given with `--data`, or none. Out: the folder `account` in it, which is the account's own: whatever
else lies in the directory is never touched. A marker file tells a directory of ours from any other.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import string
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MARKER = "mlops-account.lock"
_MARKER_OF_0_1 = "account.lock"
_OWN = "account"
_PREFIX = "mlops-local-"
_KEY_LENGTH = 40  # as AWS's secret keys have


class Unusable(Exception):
    """The directory cannot hold an account's state; the message says why."""


@contextmanager
def claimed(directory: Path) -> Iterator[Path]:
    """The account's own folder in the directory, both made if missing and closed to other users.

    The system gives the claim up when this process ends, a kill included.
    """
    os.umask(0o077)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _refuse_what_is_not_ours(directory)
        lock = (directory / _MARKER).open("a")
    except FileExistsError as error:
        raise Unusable(f"{directory} is not a directory") from error
    except OSError as error:
        raise Unusable(f"cannot keep the account's state in {directory}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Unusable(
                f"another account is already running with {directory}; stop it, or use another --data directory"
            ) from error
        try:
            own = directory.resolve() / _OWN
            own.mkdir(exist_ok=True)
            for path in (directory, own):
                path.chmod(0o700)
        except OSError as error:
            raise Unusable(f"cannot keep the account's state in {directory}: {error.strerror}") from error
        yield own


def _refuse_what_is_not_ours(directory: Path) -> None:
    names = {path.name for path in directory.iterdir()}
    if not names or _MARKER in names:
        return
    if _MARKER_OF_0_1 in names:
        raise Unusable(
            f"{directory} contains the state of an earlier version, which this version cannot read; "
            "use another --data directory, or delete it"
        )
    raise Unusable(f"{directory} is not empty and contains no account's state; use an empty --data directory")


@contextmanager
def passing() -> Iterator[Path]:
    """A directory that goes with the account; those of accounts that were killed go now."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(Unusable, FileNotFoundError):
            if _is_left_by_us(left):
                with claimed(left):
                    shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as made, claimed(Path(made)) as state:
        yield state


def _is_left_by_us(path: Path) -> bool:
    """Whether it is a directory that this user's account made: others can write to the folder it lies in."""
    found = path.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and (path / _MARKER).exists()


def secret_key(own: Path) -> str:
    """The secret access key of the account's root, made once for each account."""
    path = own / "secret-access-key"
    with suppress(FileNotFoundError):
        key = path.read_text("ascii", "replace").strip()
        if len(key) != _KEY_LENGTH or not set(key) <= set(string.hexdigits):
            raise Unusable(f"{path} contains no secret key; delete the file to generate a new key")
        return key
    key, part = secrets.token_hex(_KEY_LENGTH // 2), own / ".secret-access-key"
    part.write_text(f"{key}\n", "ascii")
    part.chmod(0o600)
    part.replace(path)
    return key


def removed(directory: Path) -> None:
    """Remove an account's own folder, its marker, and the directory if nothing else lies in it.

    Raises Unusable where the directory is no account's, or its account runs.
    """
    if not (directory / _MARKER).exists():
        raise Unusable(f"{directory} contains no account's state")
    with claimed(directory) as own:
        shutil.rmtree(own)
        (directory / _MARKER).unlink()
    with suppress(OSError):  # not empty: the rest is its owner's
        directory.rmdir()
