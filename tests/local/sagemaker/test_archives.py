# SPDX-License-Identifier: Apache-2.0
"""What comes out of archives that somebody else packed: regular files, and not too much of them."""

import gzip
import io
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlops.local.services.sagemaker import archives

from tests.support.lab import Lab, channel
from tests.support.laptop import Account

SMALL = archives.Limits(size=100_000, entries=5, ratio=10, small=20_000)
ZEROS = b"\0" * 2**20


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    return Lab(account)


def _archive(*members: tarfile.TarInfo, content: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def _zeros(megabytes: int) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as file:
        for _ in range(megabytes):
            file.write(ZEROS)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (_member("a", tarfile.SYMTYPE, "/etc/passwd"), "'a', which is a symbolic link"),
        (_member("a", tarfile.LNKTYPE, "b"), "'a', which is a hard link"),
        (_member("a", tarfile.FIFOTYPE), "'a', which is a named pipe"),
        (_member("a", tarfile.CHRTYPE), "'a', which is a device"),
        (_member("a", tarfile.BLKTYPE), "'a', which is a device"),
        (_member("../a"), "'../a' would be extracted to"),
    ],
)
def test_what_does_not_leave_an_archive(tmp_path: Path, member: tarfile.TarInfo, words: str) -> None:
    with pytest.raises(archives.Unusable) as caught:
        archives.unpack(_archive(_member("b"), member), tmp_path / "model")
    assert words in str(caught.value)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (lambda: _archive(_member("a"), content=b"\0" * 50_000), "unpacks to more than 10 times its size"),
        (lambda: _archive(*(_member(str(number)) for number in range(6))), "contains more than 5 files"),
        (lambda: _archive(_member("a"), content=bytes(range(256)) * 500), "unpacks to more than"),
        (lambda: b"not gzip", "is not a .tar.gz archive"),
        (lambda: gzip.compress(b"not tar" * 100), "is not a .tar.gz archive, or is damaged"),
        (lambda: _archive(_member("a"), content=b"12345" * 100)[:-20], "damaged"),
    ],
)
def test_archives_that_are_not_unpacked(tmp_path: Path, archive: Callable[[], bytes], words: str) -> None:
    with pytest.raises(archives.Unusable, match=words):
        archives.unpack(archive(), tmp_path, SMALL)


def test_the_size_of_gzip_files_is_theirs_together(tmp_path: Path) -> None:
    packed = gzip.compress(b"1,2,3\n" * 10, 0)
    assert archives.gunzip(packed, tmp_path / "a", 99_000, SMALL) == 60
    assert (tmp_path / "a").read_bytes() == b"1,2,3\n" * 10
    with pytest.raises(archives.Unusable, match="with the files before it"):
        archives.gunzip(packed, tmp_path / "b", 99_990, SMALL)


def test_links_are_not_packed_and_hard_links_are_files(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("m")
    (tmp_path / "same").hardlink_to(tmp_path / "model")
    (tmp_path / "elsewhere").symlink_to("/etc/passwd")
    packed = archives.pack(tmp_path)
    assert packed is not None
    archives.unpack(packed, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model", "same"]


def test_an_artifact_with_a_link_or_a_bomb_fails_the_endpoint(lab: Lab) -> None:
    linked = lab.put("linked/model.tar.gz", _archive(_member("xgboost-model", tarfile.SYMTYPE, "/etc/passwd")))
    bomb = lab.put("bomb/model.tar.gz", _bomb())
    for uri, words in ((linked, "a symbolic link; only regular files"), (bomb, "unpacks to more than 200 times")):
        failed = lab.settled(lab.endpoint(lab.config(lab.model(uri))))
        assert failed["EndpointStatus"] == "Failed"
        assert words in failed["FailureReason"]


def _bomb() -> bytes:
    """300 MB of zeros in 1.4 MB."""
    buffer = io.BytesIO()
    member = _member("xgboost-model")
    member.size = 300 * len(ZEROS)
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as file:
        file.write(member.tobuf())
        for _ in range(300):
            file.write(ZEROS)
    return buffer.getvalue()


def test_a_channel_with_a_bomb_fails_the_job(lab: Lab) -> None:
    uri = lab.put("bombs/train.csv.gz", _zeros(300))
    start = time.monotonic()
    job = lab.train(lab.training_request("", InputDataConfig=[channel("train", uri, CompressionType="Gzip")]))
    assert job["TrainingJobStatus"] == "Failed"
    assert f"{uri} unpacks to more than 200 times its size" in job["FailureReason"]
    assert time.monotonic() - start < 15
