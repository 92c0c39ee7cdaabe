# SPDX-License-Identifier: Apache-2.0
"""Reads the source of a build, a zip in S3, with the project's role. Nothing is unpacked.

In: a location, `bucket/key`. Out: the names of the files in the zip, and what is in one of them.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from botocore.exceptions import ClientError

LONGEST = 1 << 20  # bytes of a Dockerfile


class Unusable(Exception):
    """The source cannot be read; the message says why."""


@contextmanager
def opened(session: boto3.Session, location: str) -> Iterator[zipfile.ZipFile]:
    """The zip at a location. Raises Unusable."""
    bucket, _, key = location.partition("/")
    try:
        body = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        raise Unusable(f"cannot read s3://{location}: {error.response['Error'].get('Message', error)}") from error
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(body, file)
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except zipfile.BadZipFile as error:
            raise Unusable("the source is not a zip file") from error


def dockerfile_problem(archive: zipfile.ZipFile, path: str) -> str:
    """What is wrong with a Dockerfile in a zip; empty if nothing is known to be."""
    names = archive.namelist()
    if path not in names:
        elsewhere = sorted(name for name in names if name.rpartition("/")[2] == path)
        hint = f"; there is one at {elsewhere[0]}: zip the contents of its folder" if elsewhere else ""
        return f"The zip has no {path} at its top{hint}."
    if archive.getinfo(path).file_size > LONGEST:
        return f"{path} has more than {LONGEST:,} bytes."
    try:
        text = archive.read(path).decode()
    # not text, encrypted, unknown compression, damaged
    except (UnicodeDecodeError, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        return f"{path} cannot be read: {error}."
    instructions = [words[0].upper() for line in text.splitlines() if (words := line.split())]
    return "" if "FROM" in instructions else f"{path} has no FROM instruction."
