# SPDX-License-Identifier: Apache-2.0
"""The directory that holds the account's state: one account's at a time, for as long as its process lives."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCK = "account.lock"
_PREFIX = "mlops-local-"


class Unusable(Exception):
    """The directory cannot hold an account's state; the message says why."""


@contextmanager
def claimed(directory: Path) -> Iterator[Path]:
    """The directory, made if missing. The system gives the claim up when this process ends, a kill included."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / _LOCK).open("a")
    except FileExistsError as error:
        raise Unusable(f"{directory} is not a directory") from error
    except OSError as error:
        raise Unusable(f"cannot keep the account's state in {directory}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Unusable(f"another account already runs on {directory}; end it, or give another --data") from error
        yield directory.resolve()


@contextmanager
def passing() -> Iterator[Path]:
    """A directory that goes with the account; those of accounts that were killed go now."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(Unusable), claimed(left.parent):
            shutil.rmtree(left.parent, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as made, claimed(Path(made)) as state:
        yield state
