# SPDX-License-Identifier: Apache-2.0
"""The accounts of this user that run now: each keeps a file that says where it is and how to sign for it.

In: what an account knows of itself once it answers. Out: `accounts()`, for whoever looks for one. The folder is 0700
and the files are 0600, since they hold the root key. An account locks its file for as long as its process lives, so the
file of a killed one is known, and removed by whoever looks next.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mlops import process


class Unwritable(Exception):
    """The folder can't hold the file of an account; the message says why."""


@dataclass(frozen=True)
class Running:
    """An account that answers."""

    pid: int
    port: int
    endpoint: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str
    data: str | None  # the directory given with --data
    started: str  # ISO 8601, UTC

    @property
    def environment(self) -> dict[str, str]:
        """With these set, boto3, the AWS CLI and `mlops` talk to this account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            **process.no_proxy(os.environ),
        }


def folder() -> Path:
    """XDG_RUNTIME_DIR/mlops; where that variable is not set, as on macOS, XDG_STATE_HOME/mlops/running."""
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime, "mlops")
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError:  # a user without a home
        return Path(os.environ.get("TMPDIR", "/tmp"), f"mlops-{os.geteuid()}")  # noqa: S108  looked at before it is used
    return Path(state, "mlops", "running")


@contextmanager
def announced(account: Running) -> Iterator[None]:
    """Keep the account's file for as long as this context lasts."""
    try:
        place = _private_folder()
        path, part = place / f"{account.port}-{account.pid}.json", place / f".{account.port}-{account.pid}"
        part.unlink(missing_ok=True)  # of a killed process that had this number
        file = os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise Unwritable(str(error)) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(asdict(account), file)
        file.flush()
        part.rename(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def accounts() -> list[Running]:
    """The accounts that run, by port. The files of killed ones are removed."""
    found = []
    place = folder()
    for path in place.glob("*.json") if place.is_dir() and _is_private(place) else ():
        try:
            with path.open(encoding="utf-8") as file:
                if _is_locked(file.fileno()):
                    found.append(Running(**json.load(file)))
                else:
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue  # it has just ended
    return sorted(found, key=lambda one: one.port)


def _private_folder() -> Path:
    place = folder()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.mkdir(mode=0o700, exist_ok=True)
    if not _is_private(place):
        raise Unwritable(f"{place} is owned by another user or accessible to others")
    return place


def _is_private(place: Path) -> bool:
    """Ours, and closed to others: who could write there could name an account of theirs as ours."""
    found = place.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _is_locked(descriptor: int) -> bool:
    """Whether the process that wrote the file lives."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
