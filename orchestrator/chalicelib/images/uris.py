# SPDX-License-Identifier: Apache-2.0
"""Which container image: framework, version, region and instance type -> the image's URI in ECR.

Reads image_uris.json (made by `make image-uris` from the SageMaker SDK's data), once, when first asked.

    ImageError                 has .about (which argument to correct), .problem and .hint
    ├── UnknownFramework       there is no such framework
    ├── UnknownVersion         the framework has no such version
    ├── NotInRegion            the image is not published in the region
    ├── NotFor                 the framework has no image for training, for serving, or for such instances
    └── Ambiguous              framework and version name several images
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from chalicelib.images.instances import Family, family_of
from chalicelib.nearest import similar

Scope = Literal["training", "inference"]
About = Literal["framework", "version", "region", "instance_type"]
Tags = dict[str, str | None]  # by kind of processor; None where the version is no longer made for that kind
Image = list[Any]  # its repository, the number of its registry, and its tag or Tags
Choices = dict[str, list[str]]  # {"choose": what would tell the images of this version apart}
Rows = dict[str, Image | Choices]  # by version

TABLE = Path(__file__).with_name("image_uris.json")
KINDS = {None: "cpu", "gpu": "gpu", "inferentia": "inf", "trainium": "trn", "gaudi": "gaudi"}  # of tags, by accelerator
OTHER_NAMES = {
    "scikit-learn": "sklearn",
    "deepar": "forecasting-deepar",
    "random-cut-forest": "randomcutforest",
    "rcf": "randomcutforest",
    "tf": "tensorflow",
    "torch": "pytorch",
}


class ImageError(Exception):
    """There is no such image; `about` names the argument to correct."""

    def __init__(self, about: About, problem: str, hint: str) -> None:
        super().__init__(f"{problem} ({hint})" if hint else problem)
        self.about, self.problem, self.hint = about, problem, hint


class UnknownFramework(ImageError):
    """There is no such framework."""

    def __init__(self, framework: str, known: list[str]) -> None:
        problem = f"{framework!r} is not a framework or built-in algorithm of SageMaker"
        super().__init__("framework", problem, did_you_mean(framework, known) or f"there are {listed(known)}")


class UnknownVersion(ImageError):
    """The framework has no such version."""

    def __init__(self, framework: str, version: str, known: Iterable[str], where: str = "") -> None:
        known = sorted(known, key=in_order)
        nearest, there_are = did_you_mean(version, known), f"there are {listed(known)}"
        hint = f"{nearest} ({there_are})" if nearest else there_are
        super().__init__("version", f"{framework} has no version {version!r}{where}", hint)


class NotInRegion(ImageError):
    """The image is not published in the region."""

    def __init__(self, framework: str, version: str, region: str, known: Iterable[str]) -> None:
        hint = f"it is published in {listed(list(known))}"
        super().__init__("region", f"{framework} {version} is not published in {region}", hint)


class NotFor(ImageError):
    """The framework has no image for training, for serving, or for such instances."""


class Ambiguous(ImageError):
    """Framework and version name several images."""

    def __init__(self, framework: str, version: str, choices: list[str]) -> None:
        hint = "name the image itself: byom_realtime_custom and byom_batch_custom take a custom_image_uri"
        problem = f"{framework} {version} is several images ({listed(choices)}), and the request doesn't choose"
        super().__init__("version", problem, hint)


def training_image(framework: str, version: str, region: str, instance_type: str) -> str:
    """The image that trains; raises ImageError."""
    return find(framework, version, region, instance_type, "training")


def inference_image(framework: str, version: str, region: str, instance_type: str) -> str:
    """The image that serves; raises ImageError."""
    return find(framework, version, region, instance_type, "inference")


def monitor_image(region: str) -> str:
    """Model Monitor's own container: statistics, constraints and violations."""
    return only_image("model-monitor", "monitoring", region)


def clarify_image(region: str) -> str:
    """Clarify's container: bias and explainability."""
    return only_image("clarify", "processing", region)


def frameworks(scope: Scope) -> list[str]:
    """The frameworks that have an image for it."""
    return [name for name, scopes in table()["frameworks"].items() if scope in scopes]


def versions(framework: str, scope: Scope) -> list[str]:
    """The versions of a framework that have an image for it, the newest last."""
    return sorted(table()["frameworks"].get(framework, {}).get(scope, {}), key=in_order)


@cache
def registry_accounts() -> frozenset[str]:
    """AWS's own accounts that publish SageMaker's images, in every region."""
    return frozenset(account for registry in table()["registries"] for account in registry.values())


def registry_accounts_in(region: str) -> frozenset[str]:
    """AWS's own accounts that publish SageMaker's images in a region."""
    return frozenset(registry[region] for registry in table()["registries"] if region in registry)


def find(framework: str, version: str, region: str, instance_type: str, scope: Scope) -> str:
    """The image's URI; raises an ImageError where there is none, or several."""
    scopes = table()["frameworks"].get(framework)
    if scopes is None or not (scopes.keys() & {"training", "inference"}):
        raise UnknownFramework(framework, frameworks(scope))
    if scope not in scopes:
        other = "inference" if scope == "training" else "training"
        raise NotFor("framework", f"{framework} has no image for {scope}", f"it is for {other} only")
    family = family_of(instance_type)
    if family is None:
        problem = f"{instance_type!r} is of no instance family that this release knows"
        raise NotFor("instance_type", problem, "take another one, for example ml.m5.large")
    rows, where = rows_for(framework, scopes, scope, family)
    row = rows.get(version)
    if row is None and version == "latest" and len(rows) == 1:
        row = next(iter(rows.values()))
    if row is None:
        raise UnknownVersion(framework, version, rows, where)
    if isinstance(row, dict):
        raise Ambiguous(framework, version, row["choose"])
    repository, registry, tags = row
    tag = tags if isinstance(tags, str) else tag_for(framework, version, tags, family, instance_type)
    return uri(framework, version, region, repository, registry, tag)


def rows_for(framework: str, scopes: dict[str, Any], scope: Scope, family: Family) -> tuple[Rows, str]:
    """The versions to look among, and for which instances they are: Arm and Trainium have images of their own."""
    if family.architecture == "arm64":
        if "arm" not in scopes:
            raise not_on(framework, "Arm instances", "take instances with an Intel or AMD processor")
        return scopes["arm"], " for Arm instances"
    if family.accelerator == "trainium" and "trainium" not in scopes:
        raise not_on(framework, "Trainium instances", "take instances of another family, for example ml.m5 or ml.g5")
    if family.accelerator in ("trainium", "inferentia") and "trainium" in scopes:
        if scope != "training" or family.accelerator == "inferentia":
            raise not_on(framework, f"{family.name} instances for {scope}", "take ml.c5, ml.m5 or ml.g5 instances")
        return scopes["trainium"], " for Trainium instances"
    return scopes[scope], ""


def not_on(framework: str, instances: str, hint: str) -> NotFor:
    return NotFor("instance_type", f"{framework} has no image for {instances}", hint)


def tag_for(framework: str, version: str, tags: Tags, family: Family, instance_type: str) -> str:
    """The tag for the family itself, else for its accelerator."""
    tag = tags.get(family.name if family.name in tags else KINDS[family.accelerator])
    if tag is None:
        served = [kind for kind, tag in tags.items() if tag is not None]
        hint = f"it has images for {' and '.join(served)} instances"
        raise NotFor("instance_type", f"{framework} {version} has no image for {instance_type}", hint)
    return tag


def only_image(framework: str, scope: str, region: str) -> str:
    [(version, (repository, registry, tag))] = table()["frameworks"][framework][scope].items()
    return uri(framework, version, region, repository, registry, tag)


def uri(framework: str, version: str, region: str, repository: str, registry: int, tag: str) -> str:
    accounts: dict[str, str] = table()["registries"][registry]
    if region not in accounts:
        raise NotInRegion(framework, version, region, accounts)
    suffix = table()["dns_suffixes"].get(region, "amazonaws.com")
    return f"{accounts[region]}.dkr.ecr.{region}.{suffix}/{repository}" + (f":{tag}" if tag else "")


@cache
def table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


def did_you_mean(name: str, known: list[str]) -> str:
    """A question with the known name that is nearest; empty where none is near."""
    plain = name.strip().lower().replace("_", "-")
    other = OTHER_NAMES.get(plain)
    near = other if other in known else similar(plain, known)
    return f"did you mean {near!r}?" if near else ""


def in_order(version: str) -> list[tuple[int, int, str]]:
    """Versions sort by number, 1.10 after 1.9; words such as latest come last."""
    parts = re.split(r"[.-]", version)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def listed(names: list[str], most: int = 12) -> str:
    """The newest names matter most, so a long list loses its beginning."""
    return ", ".join(names) if len(names) <= most else "…, " + ", ".join(names[-most:])
