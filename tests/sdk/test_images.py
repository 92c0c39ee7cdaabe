# SPDX-License-Identifier: Apache-2.0
"""The table of container images gives what the SDK gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chalicelib.images import instances, uris
from chalicelib.images.uris import ImageError

from tests.support import sdk

KINDS = ("m5", "c7i-flex", "r8i", "p6-b200", "g7e", "c5", "g5", "p2", "p3", "p4d", "m6g", "inf1", "inf2", "trn1")

# Where the SDK hands out the image of another version or scope than the one asked for, we refuse.
STRICTER = {
    ("pytorch", "training", "ml.trn1.xlarge"),  # it has one version for Trainium
    ("pytorch", "inference", "ml.trn1.xlarge"),  # and that one is for training
    ("sklearn", "training", "ml.m6g.xlarge"),  # it has one version for Graviton
    ("sklearn", "inference", "ml.m6g.xlarge"),
}
JOB_REGIONS = ("us-east-1", "eu-west-1", "cn-north-1")


def question(framework: str, version: str, region: str, instance_type: str, scope: uris.Scope) -> dict[str, Any]:
    return {
        "framework": framework,
        "version": version,
        "region": region,
        "instance_type": instance_type,
        "image_scope": scope,
    }


def questions() -> Iterator[dict[str, Any]]:
    """Every framework, version, scope and kind of instance in one region; every region for some versions."""
    regions = sorted({region for accounts in uris.table()["registries"] for region in accounts})
    scopes: tuple[uris.Scope, ...] = ("training", "inference")

    for framework, images_of in uris.table()["frameworks"].items():
        versions = list(dict.fromkeys(version for rows in images_of.values() for version in rows))
        for scope in scopes:
            if scope not in images_of:
                continue
            for version in versions:
                for kind in KINDS:
                    yield question(framework, version, "us-west-2", f"ml.{kind}.xlarge", scope)
            for version in {versions[0], versions[-1]}:
                for region in regions:
                    yield question(framework, version, region, "ml.m5.xlarge", scope)


def ours(asked: dict[str, Any]) -> str | None:
    try:
        return uris.find(*asked.values())
    except ImageError:
        return None


@pytest.fixture(scope="module")
def asked() -> dict[str, list[Any]]:
    jobs = [
        {"framework": framework, "region": region, **version}
        for region in JOB_REGIONS
        for framework, version in (("model-monitor", {}), ("clarify", {"version": "1.0"}))
    ]
    return {
        "images": [*questions(), *jobs],
        "instance_types": [f"ml.{name}.xlarge" for name in instances.table()],
    }


@pytest.fixture(scope="module")
def theirs(asked: dict[str, list[Any]], sdk_python: Path) -> dict[str, list[Any]]:
    answer: dict[str, list[Any]] = sdk.ask(sdk_python, "images", asked)
    assert {kind: len(one) for kind, one in answer.items()} == {
        "images": len(asked["images"]),
        "takes_key": len(asked["instance_types"]),
    }
    return answer


def test_every_image_is_the_one_the_sdk_gives(asked: dict[str, list[Any]], theirs: dict[str, list[Any]]) -> None:
    wrong, given = [], 0
    for one, image in zip(asked["images"], theirs["images"], strict=True):
        if "image_scope" not in one:
            continue
        found = ours(one)
        given += found is not None
        key = one["framework"], one["image_scope"], one["instance_type"]
        if found != image and not (found is None and key in STRICTER):
            wrong.append(f"{' '.join(one.values())}: {found}, not {image}")
    assert not wrong, "\n".join(wrong)
    assert given > 5_000


def test_the_images_of_our_own_jobs_are_the_ones_the_sdk_gives(
    asked: dict[str, list[Any]], theirs: dict[str, list[Any]]
) -> None:
    pairs = zip(asked["images"], theirs["images"], strict=True)
    of_jobs = [image for one, image in pairs if "image_scope" not in one]
    expected = [image(region) for region in JOB_REGIONS for image in (uris.monitor_image, uris.clarify_image)]
    assert of_jobs == expected


def test_no_key_is_asked_for_where_the_sdk_asks_for_none(
    asked: dict[str, list[Any]], theirs: dict[str, list[Any]]
) -> None:
    for instance_type, takes_key in zip(asked["instance_types"], theirs["takes_key"], strict=True):
        assert takes_key or instances.has_local_storage(instance_type), instance_type
