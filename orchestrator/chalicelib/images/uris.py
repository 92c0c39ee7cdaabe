# SPDX-License-Identifier: Apache-2.0
"""Which container image: framework, version, region and instance type -> the image's URI in ECR.

Reads image_uris.json (made by `make image-uris` from the SageMaker SDK's data), once, when first asked.

    ImageError                 has .about (what to correct), .problem and .hint, as an answer wants them
    ├── UnknownFramework       no such framework
    ├── UnknownVersion         the framework has no such version
    ├── NotInRegion            it isn't published there
    ├── NotFor                 it can't train, or serve, or run on that kind of instance
    └── Ambiguous              framework and version don't settle it: there are several
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal

Scope = Literal["training", "inference"]
About = Literal["framework", "version", "region", "instance_type"]
Row = list[Any] | dict[str, list[str]]
Tags = dict[str, str | None]

TABLE = Path(__file__).with_name("image_uris.json")
GRAVITON = {"m6g", "m6gd", "c6g", "c6gd", "c6gn", "c7g", "r6g", "r6gd"}
OTHER_NAMES = {
    "scikit-learn": "sklearn",
    "deepar": "forecasting-deepar",
    "random-cut-forest": "randomcutforest",
    "rcf": "randomcutforest",
    "tf": "tensorflow",
    "torch": "pytorch",
}


class ImageError(Exception):
    def __init__(self, about: About, problem: str, hint: str, known: Iterable[str] = ()) -> None:
        super().__init__(f"{problem} ({hint})" if hint else problem)
        self.about, self.problem, self.hint, self.known = about, problem, hint, list(known)


class UnknownFramework(ImageError):
    def __init__(self, framework: str, known: list[str]) -> None:
        self.nearest = nearest(framework, known)
        hint = did_you_mean(self.nearest) or f"there are {listed(known)}"
        problem = f"{framework!r} is not a framework or built-in algorithm of SageMaker"
        super().__init__("framework", problem, hint, known)


class UnknownVersion(ImageError):
    def __init__(self, framework: str, version: str, known: list[str], where: str = "") -> None:
        known = sorted(known, key=in_order)
        self.nearest = nearest(version, known)
        there_are = f"there are {listed(known)}"
        hint = f"{did_you_mean(self.nearest)} ({there_are})" if self.nearest else there_are
        super().__init__("version", f"{framework} has no version {version!r}{where}", hint, known)


class NotInRegion(ImageError):
    def __init__(self, framework: str, version: str, region: str, known: list[str]) -> None:
        hint = f"it is published in {listed(known)}"
        super().__init__("region", f"{framework} {version} is not published in {region}", hint, known)


class NotFor(ImageError):
    """It exists, and not for this scope or this kind of instance."""


class Ambiguous(ImageError):
    def __init__(self, framework: str, version: str, known: list[str]) -> None:
        hint = "name the image itself: byom_realtime_custom and byom_batch_custom take a custom_image_uri"
        problem = f"{framework} {version} is several images ({listed(known)}), and the request doesn't choose"
        super().__init__("version", problem, hint, known)


def training_image(framework: str, version: str, region: str, instance_type: str) -> str:
    return find(framework, version, region, instance_type, "training")


def inference_image(framework: str, version: str, region: str, instance_type: str) -> str:
    return find(framework, version, region, instance_type, "inference")


def monitor_image(region: str) -> str:
    """Model Monitor's own container: statistics, constraints and violations."""
    return only("model-monitor", "monitoring", region)


def clarify_image(region: str) -> str:
    """Clarify's container: bias and explainability."""
    return only("clarify", "processing", region)


def frameworks(scope: Scope) -> list[str]:
    return [name for name, scopes in table()["frameworks"].items() if scope in scopes]


def versions(framework: str, scope: Scope) -> list[str]:
    return sorted(table()["frameworks"].get(framework, {}).get(scope, {}), key=in_order)


@cache
def registry_accounts() -> frozenset[str]:
    """AWS's own accounts that publish SageMaker's images, in every region."""
    return frozenset(account for registry in table()["registries"] for account in registry.values())


def find(framework: str, version: str, region: str, instance_type: str, scope: Scope) -> str:
    scopes = table()["frameworks"].get(framework)
    if scopes is None or not (scopes.keys() & {"training", "inference"}):
        raise UnknownFramework(framework, frameworks(scope))
    if scope not in scopes:
        raise NotFor("framework", f"{framework} has no image for {scope}", f"it is for {' and '.join(scopes)} only")
    family = family_of(instance_type)
    rows, where = rows_for(framework, scopes, scope, family)
    row = rows.get(version)
    if row is None and version == "latest" and len(rows) == 1:
        row = next(iter(rows.values()))
    if row is None:
        raise UnknownVersion(framework, version, list(rows), where)
    if isinstance(row, dict):
        raise Ambiguous(framework, version, row["choose"])
    repository, registry, tags = row
    tag = tags if isinstance(tags, str) else tag_for(framework, version, tags, family, instance_type)
    return uri(framework, version, region, repository, registry, tag)


def rows_for(framework: str, scopes: dict[str, Any], scope: Scope, family: str) -> tuple[dict[str, Row], str]:
    """The versions to look among: instances that aren't x86 have images of their own, or none."""
    if family in GRAVITON:
        if "arm" not in scopes:
            raise not_on(framework, "Graviton instances", "take one with an Intel or AMD processor")
        return scopes["arm"], " for Graviton instances"
    if family.startswith("trn") and "trainium" not in scopes:
        raise not_on(framework, "Trainium instances", "take another family of instances, as ml.m5 or ml.g5")
    if family.startswith(("trn", "inf")) and "trainium" in scopes:
        if scope != "training" or family.startswith("inf"):
            raise not_on(framework, f"{family} instances for {scope}", "take ml.c5, ml.m5 or ml.g5 instances")
        return scopes["trainium"], " for Trainium instances"
    return scopes[scope], ""


def not_on(framework: str, instances: str, hint: str) -> NotFor:
    return NotFor("instance_type", f"{framework} has no image for {instances}", hint)


def tag_for(framework: str, version: str, tags: dict[str, str | None], family: str, instance_type: str) -> str:
    if family in tags:
        kind = family
    elif family.startswith(("inf", "trn")):
        kind = family[:3]
    else:
        kind = "gpu" if family.startswith(("g", "p")) else "cpu"
    tag = tags.get(kind)
    if tag is None:
        served = [kind for kind, tag in tags.items() if tag is not None]
        hint = f"it has images for {' and '.join(served)} instances"
        raise NotFor("instance_type", f"{framework} {version} has no image for {instance_type}", hint, served)
    return tag


def only(framework: str, scope: str, region: str) -> str:
    [(version, (repository, registry, tag))] = table()["frameworks"][framework][scope].items()
    return uri(framework, version, region, repository, registry, tag)


def uri(framework: str, version: str, region: str, repository: str, registry: int, tag: str) -> str:
    accounts: dict[str, str] = table()["registries"][registry]
    if region not in accounts:
        raise NotInRegion(framework, version, region, list(accounts))
    suffix = table()["dns_suffixes"].get(region, "amazonaws.com")
    return f"{accounts[region]}.dkr.ecr.{region}.{suffix}/{repository}" + (f":{tag}" if tag else "")


@cache
def table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


def family_of(instance_type: str) -> str:
    """ml.m5.large -> m5. What is no instance type has no family, and gets the image for plain processors."""
    match = re.fullmatch(r"ml[._]([a-z\d-]+)\.?\w*", instance_type)
    return match[1] if match else ""


def nearest(name: str, known: list[str]) -> str | None:
    plain = name.strip().lower().replace("_", "-")
    other = OTHER_NAMES.get(plain)
    if other in known:
        return other
    return next(iter(get_close_matches(plain, known, n=1)), None)


def did_you_mean(name: str | None) -> str:
    return f"did you mean {name!r}?" if name else ""


def in_order(version: str) -> list[tuple[int, int, str]]:
    """Versions sort by number, 1.10 after 1.9; words such as latest come last."""
    parts = re.split(r"[.-]", version)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def listed(names: list[str], most: int = 12) -> str:
    """The newest names matter most, so a long list loses its beginning."""
    return ", ".join(names) if len(names) <= most else "…, " + ", ".join(names[-most:])
