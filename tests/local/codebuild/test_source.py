# SPDX-License-Identifier: Apache-2.0
"""A zip with a Dockerfile that cannot be read: the build says so."""

from __future__ import annotations

import io
import zipfile

from mlops.local.services.codebuild import source

TEXT = b"FROM scratch\n" * 100


def test_a_damaged_dockerfile_is_told() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Dockerfile", TEXT)
    damaged = bytearray(packed.getvalue())
    damaged[40:48] = b"\xff" * 8  # in what Deflate made of it, behind 30 bytes of header and the name
    with zipfile.ZipFile(io.BytesIO(bytes(damaged))) as archive:
        problem = source.dockerfile_problem(archive, "Dockerfile")
    assert problem.startswith("Dockerfile cannot be read: ")
