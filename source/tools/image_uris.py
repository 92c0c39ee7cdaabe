# SPDX-License-Identifier: Apache-2.0
"""Makes orchestrator/chalicelib/images/image_uris.json out of the SageMaker SDK's lists of container images.

    make image-uris        (or: python -m tools.image_uris [WHEEL])

The SDK keeps one JSON file a framework and works an image's URI out of it by rules. Here the rules are
applied once, so that what the orchestrator reads is a plain table:

    frameworks -> framework -> scope -> version -> [repository, registry, tags]

`registry` is an index into `registries` (region -> account). `tags` is one tag, or a tag by kind of
processor: "cpu", "gpu", or the family of an instance type ("p4d", "trn"); null stands for a kind that is no
longer served. A version that can't be told from framework and version alone has its choices instead:
{"choose": [...]}. Scopes are training, inference, arm (Graviton) and trainium, and monitoring or processing
for the two images we run jobs with.

The SDK itself is never imported: its wheel is read as the zip it is. tests/sdk/test_images.py compares the
result with the SDK's answers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "orchestrator" / "chalicelib" / "images" / "image_uris.json"
PINS = ROOT / "requirements-sdk.txt"
CONFIGS = "sagemaker/core/image_uri_config/"

SCOPES = {"training": "training", "inference": "inference", "inference_graviton": "arm"}
JOB_IMAGES = {"model-monitor": "monitoring", "clarify": "processing"}

# What the SDK holds in code and not in its JSON files.
ARM_TAGS = {
    ("xgboost", "1.3-1"): "1.3-1-arm64",
    ("xgboost", "1.5-1"): "1.5-1-arm64",
    ("sklearn", "1.0-1"): "1.0-1-arm64-cpu-py3",
}
P4D_SUFFIX = {
    "tensorflow-2.3-gpu-py37": "cu110-ubuntu18.04-v3",
    "tensorflow-2.3.1-gpu-py37": "cu110-ubuntu18.04",
    "tensorflow-2.3.2-gpu-py37": "cu110-ubuntu18.04",
    "tensorflow-1.15-gpu-py37": "cu110-ubuntu18.04-v8",
    "tensorflow-1.15.4-gpu-py37": "cu110-ubuntu18.04",
    "tensorflow-1.15.5-gpu-py37": "cu110-ubuntu18.04",
    "mxnet-1.8-gpu-py37": "cu110-ubuntu16.04-v1",
    "mxnet-1.8.0-gpu-py37": "cu110-ubuntu16.04",
    "pytorch-1.6-gpu-py36": "cu110-ubuntu18.04-v3",
    "pytorch-1.6.0-gpu-py36": "cu110-ubuntu18.04",
    "pytorch-1.6-gpu-py3": "cu110-ubuntu18.04-v3",
    "pytorch-1.6.0-gpu-py3": "cu110-ubuntu18.04",
}
WITHOUT_P2 = {"pytorch": (1, 13), "tensorflow": (2, 12)}  # from this version on
SDK_IN_TAG = ("pytorch-training-neuron", "pytorch-training-neuronx", "huggingface-vllm-inference-neuronx")

Json = dict[str, Any]


def scopes_of(config: Json) -> Iterator[tuple[str, Json]]:
    """A framework's file has one map of versions for all its scopes, or one for each."""
    if "versions" in config:
        for scope in config.get("scope", []):
            yield scope, config
    else:
        for scope, part in config.items():
            if isinstance(part, dict) and "versions" in part:
                yield scope, part


def versions_of(part: Json) -> Iterator[tuple[str, Json]]:
    """Aliases are versions of their own, since they stand in the tag; where both exist the alias counts."""
    images = dict(part["versions"])
    for alias, version in part.get("version_aliases", {}).items():
        if version in part["versions"]:
            images[alias] = part["versions"][version]
    yield from images.items()


def tag_for(framework: str, scope: str, version: str, image: Json, python: str | None, kind: str | None) -> str:
    repository = image["repository"]
    suffix = image["container_version"][kind] if image.get("container_version") else None
    if repository in SDK_IN_TAG:
        suffix = f"{max(image['sdk_versions'])}-{suffix}"
    if repository in (f"{framework}-inference-graviton", f"{framework}-inference-arm64"):
        suffix = f"{suffix}-sagemaker"
    if scope == "inference_graviton" and (framework, version) in ARM_TAGS:
        return ARM_TAGS[framework, version]
    shown = kind if image.get("processor_in_tag", True) else None
    if framework == "pytorch-neuron":
        shown = "neuron"
    tag = "-".join(part for part in (image.get("tag_prefix", version), shown, python, suffix) if part)
    if framework == "sagemaker-tritonserver" and kind == "gpu":
        tag = tag.removesuffix("-gpu")
    return tag


def tags_for(framework: str, scope: str, version: str, part: Json, image: Json, py: str | None) -> str | Json:
    processors = part.get("processors") or image.get("processors")
    if not processors:
        return tag_for(framework, scope, version, image, py, None)
    tags: Json = {kind: tag_for(framework, scope, version, image, py, kind) for kind in processors}
    if (extra := P4D_SUFFIX.get(f"{framework}-{tags.get('gpu')}")) is not None:
        tags["p4d"] = f"{tags['gpu']}-{extra}"
    if framework in WITHOUT_P2 and "gpu" in tags and release(version) >= WITHOUT_P2[framework]:
        tags["p2"] = None
    return tags


def release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".")[:2])


class Table:
    """The table while it is made; registries that are equal are kept once."""

    def __init__(self) -> None:
        self.registries: list[Json] = []
        self.frameworks: dict[str, dict[str, Json]] = {}

    def registry(self, accounts: Json) -> int:
        if accounts not in self.registries:
            self.registries.append(accounts)
        return self.registries.index(accounts)

    def row(self, framework: str, scope: str, version: str, part: Json, image: Json) -> list[Any] | Json:
        if "repository" not in image:  # a library on top of another framework, as huggingface: more must be named
            return {"choose": sorted(key for key in image if key != "version_aliases")}
        pythons = image.get("py_versions") or [None]
        if len(pythons) > 1:
            return {"choose": sorted(pythons)}
        tags = tags_for(framework, scope, version, part, image, pythons[0])
        return [image["repository"], self.registry(image["registries"]), tags]

    def add(self, framework: str, config: Json) -> None:
        wanted = {JOB_IMAGES[framework]: JOB_IMAGES[framework]} if framework in JOB_IMAGES else SCOPES
        for scope, part in scopes_of(config):
            if scope in wanted:
                rows = {
                    version: self.row(framework, scope, version, part, image) for version, image in versions_of(part)
                }
                self.frameworks.setdefault(framework, {})[wanted[scope]] = rows


def dns_suffixes(regions: set[str]) -> dict[str, str]:
    """Where a region's registries aren't under amazonaws.com."""
    resolver = botocore.session.get_session().get_component("endpoint_resolver")
    found = {}
    for region in sorted(regions):
        endpoint = resolver.construct_endpoint("ecr", region) or {"hostname": f"ecr.{region}.amazonaws.com"}
        suffix = endpoint["hostname"].removeprefix(f"ecr.{region}.")
        if suffix != "amazonaws.com":
            found[region] = suffix
    return found


def table_from(configs: dict[str, Json], source: str) -> Json:
    table = Table()
    for framework, config in sorted(configs.items()):
        table.add(framework, config)
    if "pytorch-neuron" in configs:  # the SDK's own detour: pytorch on Trainium is a file of its own
        merge_trainium(table.frameworks)
    regions = {region for accounts in table.registries for region in accounts}
    return {
        "source": source,
        "dns_suffixes": dns_suffixes(regions),
        "registries": [dict(sorted(accounts.items())) for accounts in table.registries],
        "frameworks": table.frameworks,
    }


def merge_trainium(frameworks: dict[str, dict[str, Json]]) -> None:
    """Images for Trainium replace a framework's others on those instances only, so they become a scope."""
    frameworks["pytorch"]["trainium"] = frameworks.pop("pytorch-neuron")["training"]


def configs_in(wheel: Path) -> dict[str, Json]:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(CONFIGS) and name.endswith(".json")]
        return {Path(name).stem: json.loads(archive.read(name)) for name in names}


def download(folder: str) -> Path:
    """The pinned wheel alone, 1.4 MB: what it depends on is 447 MB and not needed to read its data."""
    pinned = re.search(r"^sagemaker-core==.*(\n .*)*", PINS.read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned is not None, f"{PINS.name} pins no sagemaker-core"
    requirement = Path(folder, "requirements.txt")
    requirement.write_text(pinned[0], encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*pip, "--require-hashes", "--dest", folder, "-r", str(requirement)], check=True)
    return next(Path(folder).glob("sagemaker_core-*.whl"))


def written(table: Json) -> str:
    """JSON with one version or registry a line, so that an update of the SDK reads well as a diff."""

    def line(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"))

    frameworks = []
    for framework, scopes in table["frameworks"].items():
        parts = [
            f"{line(scope)}:{{\n" + ",\n".join(f"{line(version)}:{line(row)}" for version, row in rows.items()) + "}"
            for scope, rows in scopes.items()
        ]
        frameworks.append(f"{line(framework)}:{{" + ",\n".join(parts) + "}")
    registries = ",\n".join(line(accounts) for accounts in table["registries"])
    return (
        f'{{"source":{line(table["source"])},\n"dns_suffixes":{line(table["dns_suffixes"])},\n'
        f'"registries":[\n{registries}],\n"frameworks":{{\n' + ",\n".join(frameworks) + "}}\n"
    )


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(arguments[0]) if arguments else download(folder)
        name, version = wheel.name.split("-")[:2]
        table = table_from(configs_in(wheel), f"{name} {version}")
    TABLE.write_text(written(table), encoding="utf-8")
    rows = sum(len(rows) for scopes in table["frameworks"].values() for rows in scopes.values())
    print(f"{TABLE.name}: {len(table['frameworks'])} frameworks, {rows} versions, from {table['source']}")


if __name__ == "__main__":
    main(sys.argv[1:])
