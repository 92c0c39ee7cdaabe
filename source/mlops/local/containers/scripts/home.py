# SPDX-License-Identifier: Apache-2.0
"""Where a script finds its files: at /opt/ml, as in a container, or, where this machine cannot do that, elsewhere.

    enter(tree) -> Home

Linux lets a process have a file system of its own (mount_namespaces(7)), as root or in a user namespace of its own
(user_namespaces(7)): there, the tree is mounted at /opt/ml, for this process and what it starts, and for nobody else.
Some systems forbid it, and macOS has no such thing. Then paths that begin with /opt/ml are rewritten in whatever is
given to the script; a path that the script itself holds leads nowhere, and `Home.why` says so.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OPT_ML = "/opt/ml"
_PATH = re.compile(r"(?<![\w.-])" + re.escape(OPT_ML) + r"(?![\w-])")  # not in s3://bucket/opt/ml
WITHOUT = "MLOPS_SCRIPTS_WITHOUT_OPT_ML"  # set by tests, to do without on a machine that can
_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_BIND, _PRIVATE, _RECURSIVE = 0x1000, 0x40000, 0x4000


@dataclass(frozen=True)
class Home:
    """What a script sees as its container's folder."""

    base: Path
    why: str = ""  # why that is not /opt/ml

    def path(self, *parts: str) -> str:
        """A path below it."""
        return str(self.base.joinpath(*parts))

    def rewritten(self, text: str) -> str:
        """A text for the script, with its paths below /opt/ml where they are."""
        return _PATH.sub(lambda _: str(self.base), text) if self.why else text

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {name: self.rewritten(value) for name, value in variables.items()}

    def arguments(self, given: Sequence[str]) -> list[str]:
        return [self.rewritten(argument) for argument in given]

    def note(self, text: str) -> str:
        """What to add to a reason that speaks of /opt/ml; empty where that is not the cause."""
        if not self.why or not _PATH.search(text):
            return ""
        return (
            f" {OPT_ML} is not available on this machine ({self.why}): take the paths from SM_* variables or arguments."
        )


def enter(tree: Path) -> Home:
    """Mount the tree at /opt/ml for this process, which must have no threads yet."""
    why = "it was switched off" if os.environ.pop(WITHOUT, "") else _refusal(tree)
    return Home(tree, why) if why else Home(Path(OPT_ML))


def _refusal(tree: Path) -> str:
    """Mount; empty if that was done, else why not."""
    if sys.platform != "linux":
        return "only Linux can mount a folder for one process"
    why = ""
    for flags in (_NEW_MOUNTS, _NEW_MOUNTS | _NEW_USER):
        why = _tried(tree, flags)
        if not why:
            _mount(tree, flags)
            return ""
    return why


def _tried(tree: Path, flags: int) -> str:
    """What prevents it, found in another process: half of it would be of no use to this one."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            _mount(tree, flags)
        except Exception as error:
            os.write(writing, (str(error) or type(error).__name__).encode()[:1000])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        why = answer.read().decode()
    os.waitpid(child, 0)
    return why


def _mount(tree: Path, flags: int) -> None:
    user, group = os.geteuid(), os.getegid()
    _call("unshare", flags)
    if flags & _NEW_USER:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _bind("none", "/", _PRIVATE | _RECURSIVE)
    if not Path(OPT_ML).is_dir():
        _make_place(tree.parent / f"{tree.name}-opt")
    _bind(tree, OPT_ML)


def _make_place(aside: Path) -> None:
    """Make the folder /opt/ml, in an /opt that has what the machine's own has."""
    opt = Path(OPT_ML).parent
    aside.mkdir(exist_ok=True)
    _bind(opt, aside)
    _bind("tmpfs", opt, 0, "tmpfs")
    for entry in aside.iterdir():
        place = opt / entry.name
        if entry.is_symlink():
            place.symlink_to(entry.readlink())
            continue
        if entry.is_dir():
            place.mkdir()
        else:
            place.touch()
        _bind(entry, place)
    Path(OPT_ML).mkdir()


def _bind(source: Path | str, target: Path | str, flags: int = _BIND | _RECURSIVE, kind: str = "") -> None:
    _call("mount", str(source).encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags), None)


def _call(function: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
