# SPDX-License-Identifier: Apache-2.0
"""The journal gives back what was written last, whatever the end of its writer was."""

import os
import resource
import subprocess
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dateutil.tz import tzutc
from mlops.local.state import directory
from mlops.local.state.journal import Journal, Unreadable, freeze, thaw

ONE: Mapping[tuple[str, ...], bytes] = {("a",): b"1", ("b", "c"): b"2"}
TWO: Mapping[tuple[str, ...], bytes] = {("a",): b"3", ("d",): b"4"}


def read(path: Path) -> dict[tuple[str, ...], bytes]:
    return dict(Journal(path).read())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "account.journal"


def written(path: Path, *states: Mapping[tuple[str, ...], bytes]) -> list[int]:
    """Write one state after the other; the size of the file after each."""
    journal, sizes = Journal(path), []
    journal.read()
    for state in states:
        journal.write(state)
        sizes.append(path.stat().st_size)
    return sizes


def test_what_was_written_last_is_read(path: Path) -> None:
    assert read(path) == {}
    written(path, ONE, TWO)
    assert read(path) == TWO
    written(path, ONE)
    assert read(path) == ONE


def test_what_did_not_change_is_not_written(path: Path) -> None:
    first, second, third = written(path, ONE, dict(ONE), {**ONE, ("a",): b"new"})
    assert first == second < third


def test_a_frame_that_was_cut_off_counts_as_not_written(path: Path) -> None:
    first, second = written(path, ONE, TWO)
    whole = path.read_bytes()
    for size in range(first, second):
        path.write_bytes(whole[:size])
        assert read(path) == ONE
    path.write_bytes(whole[:-1] + b"x")
    assert read(path) == ONE
    written(path, TWO)
    assert read(path) == TWO, "what comes after a cut is found"


def test_a_file_that_is_mostly_out_of_date_is_written_anew(path: Path) -> None:
    large = [{("large",): bytes([number]) * 1_000_000} for number in range(60)]
    sizes = written(path, *large, ONE)
    assert max(sizes) < 20_000_000
    assert read(path) == ONE


WRITER = """
import resource, sys
from pathlib import Path
from mlops.local.state.journal import Journal, Unreadable, freeze, thaw
journal = Journal(Path(sys.argv[1]))
journal.read()
journal.write({("a",): b"1"})
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
try:
    journal.write({("a",): b"1", ("b",): bytes(10_000)})
except OSError:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.write({("a",): b"1", ("c",): b"3"})
"""


def test_a_write_that_finds_no_room_changes_nothing(path: Path) -> None:
    """The system ends the room in the middle of a frame; it is a limit of the writer's own process."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run([sys.executable, "-c", WRITER, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
    assert read(path) == {("a",): b"1", ("c",): b"3"}


def test_another_file_is_refused(path: Path) -> None:
    path.write_text("notes of mine")
    with pytest.raises(Unreadable, match="not a journal"):
        Journal(path).read()
    assert path.read_text() == "notes of mine"


@pytest.mark.parametrize(
    "record",
    [
        {"text": "a", "bytes": b"b", "numbers": [1, 2.5, True, None], "pair": (1, 2), "set": {1, 2}},
        {"made": datetime(2027, 1, 1, tzinfo=UTC), "took": timedelta(seconds=1)},
        {"asked": datetime(2027, 1, 1, tzinfo=tzutc())},
        {"grown": defaultdict(list, {"a": [1]}), "ordered": OrderedDict(a=1), "last": deque([1])},
    ],
)
def test_a_record_of_plain_data_comes_back(record: dict[str, Any]) -> None:
    assert thaw(freeze(record)) == record


class Moved:
    """What pickle names by its place, as it would a class of ours."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo run",)


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (freeze(Path("x")), "it holds a pathlib.*Path, which this version does not write"),
        (freeze({"a": Moved()}), "it holds a posix.system, which this version does not write"),
        (freeze({"a": 1})[:-3], "a record in it is damaged"),
        (b"", "a record in it is damaged"),
    ],
    ids=["a class", "a function", "cut off", "nothing"],
)
def test_a_record_of_anything_else_is_refused_before_it_runs(blob: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        thaw(blob)


@pytest.mark.parametrize("another_build", [False, True], ids=["no journal", "a record of another build"])
def test_an_account_says_that_it_cannot_read_its_state(tmp_path: Path, another_build: bool) -> None:
    with directory.claimed(tmp_path) as own:
        if another_build:
            written(own / "account.journal", {("ours", "sagemaker", "Model", "1", "2", "3"): freeze(Moved())})
        else:
            (own / "account.journal").write_text("notes of mine")
    command = [sys.executable, "-m", "mlops.local", "--port", "0", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"mlops.local: cannot read the account's state in {tmp_path}: it ")
    assert line.endswith("; use another --data directory, or delete it")
