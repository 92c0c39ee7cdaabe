# SPDX-License-Identifier: Apache-2.0
"""Which objects a batch transform job reads, and what their outputs are called."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SUFFIX = ".out"


class ManifestError(Exception):
    """The manifest does not list objects; the message says why."""


@dataclass(frozen=True)
class Input:
    """An object, and the name of its output below the job's output path."""

    uri: str
    output: str


def under_prefix(bucket: str, prefix: str, keys: Sequence[str]) -> list[Input]:
    """The objects under a prefix. Outputs keep the folders below the folder that the prefix names, or is in."""
    folder = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    if not all(key.startswith(folder) for key in keys):
        folder = prefix[: prefix.rfind("/") + 1]
    return [Input(f"s3://{bucket}/{key}", key.removeprefix(folder) + SUFFIX) for key in keys]


def of_manifest(body: bytes) -> list[Input]:
    """The objects that a manifest lists: `[{"prefix": "s3://bucket/path/"}, "a.csv", …]`. Raises ManifestError.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TransformS3DataSource.html
    """
    try:
        entries = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"is not JSON: {error}") from error
    return list(_listed(entries))


def _listed(entries: Any) -> Iterator[Input]:
    match entries:
        case [{"prefix": str(prefix)}, *keys] if prefix.startswith("s3://") and keys:
            for key in keys:
                if not isinstance(key, str) or not key:
                    raise ManifestError(f"lists {key!r}, which is not a key")
                yield Input(prefix + key, key.lstrip("/") + SUFFIX)
        case _:
            raise ManifestError('is not a list of {"prefix": "s3://…"} and keys after that prefix')
