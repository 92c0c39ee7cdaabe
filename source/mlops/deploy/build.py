# SPDX-License-Identifier: Apache-2.0
"""Builds the files to install in an AWS account. The build is reproducible.

    python -m mlops.deploy.build BUCKET SOLUTION VERSION

BUCKET contains the main template; BUCKET-<region> contains the files it refers to, under SOLUTION/VERSION/:

    deployment/global-s3-assets/       upload to s3://BUCKET/SOLUTION/VERSION/
        mlops-orchestrator-single-account.template
    deployment/regional-s3-assets/     upload to s3://BUCKET-<region>/SOLUTION/VERSION/
        orchestrator.zip               the API
        <function>.zip                 one for each file in source/functions/
        blueprints/                    the compiled blueprints

The main template is merged from the files in deployment/templates/, Chalice's SAM template of the API, and two policies
generated from the blueprints. SAM is translated at build time: the result is plain CloudFormation.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlops import templates as compiler
from mlops.deploy import archive, dependencies, limits, package, packing, permissions, regions, template
from mlops.deploy.errors import BuildError, DeployError
from mlops.deploy.template import Template
from mlops.deploy.upload import GLOBAL_ASSETS, MAIN_TEMPLATE, REGIONAL_ASSETS
from mlops.source_tree import BLUEPRINTS, BUILDS, CACHE, PERMISSIONS, ROOT
from mlops.templates import BlueprintError, compile_catalog

GUARD = "PipelinesGuard"  # deleted before the rest of the main stack
CHALICE_PIECE = "orchestrator.sam.yaml"
TEMPLATE_LIMIT = 1_000_000
SECTIONS = ["AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions"]
SECTIONS += ["Resources", "Outputs"]


@dataclass(frozen=True)
class Sources:
    """The folders that a build is created from."""

    orchestrator: Path = ROOT / "orchestrator"
    blueprints: Path = BLUEPRINTS
    functions: Path = ROOT / "source" / "functions"
    templates: Path = ROOT / "deployment" / "templates"
    permissions: Path = PERMISSIONS
    wheels: Path = CACHE / "wheels"

    def version(self) -> str:
        """A version with a digest of these sources, to install unreleased code.

        CloudFormation detects new function code only by a new key.
        """
        digest = hashlib.sha256()
        compilers = [Path(compiler.__file__).parent, Path(__file__).parent]
        for folder in (
            self.orchestrator,
            self.blueprints,
            self.functions,
            self.templates,
            self.permissions,
            *compilers,
        ):
            for name, data in archive.read_folder(folder).items():
                digest.update(f"{folder.name}/{name} {len(data)}\n".encode() + data)
        return f"{importlib.metadata.version('mlops-orchestrator')}-{digest.hexdigest()[:12]}"

    def copied(self, to: Path) -> Sources:
        """A copy without leftover files of editors and operating systems."""
        folders = ("orchestrator", "blueprints", "functions", "templates", "permissions")
        return replace(self, **{name: archive.copy_folder(getattr(self, name), to / name) for name in folders})


@dataclass(frozen=True)
class Distribution:
    """The bucket and the prefix of a build."""

    bucket: str
    solution: str
    version: str

    def __post_init__(self) -> None:
        # Leaves room for the longest "-<region>" in the 63 characters of a bucket name.
        _check("bucket", self.bucket, r"[a-z0-9][a-z0-9-]{2,46}")
        _check("solution", self.solution, r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
        _check("version", self.version, r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")

    @property
    def prefix(self) -> str:
        return f"{self.solution}/{self.version}"


def build(distribution: Distribution, out: Path = BUILDS, sources: Sources | None = None) -> None:
    """Write global-s3-assets/ and regional-s3-assets/ under `out`."""
    _check_out(out)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sources = (sources or Sources()).copied(work / "sources")
        catalog = _compile_blueprints(sources.blueprints, work / "catalog")
        packages = dependencies.shipped_packages(sources.orchestrator / "requirements.txt", sources.wheels)
        packaged = package.package(
            sources.orchestrator,
            catalog,
            {**packages, **dependencies.licences("chalice")},
            template.load(sources.templates / CHALICE_PIECE),
            work,
        )
        # The packages explain wrong requests: the first one waits 50 ms longer, and the zip is a quarter smaller.
        regional = {"orchestrator.zip": archive.write_zip(package.with_bytecode(packaged.files, packages, work))}
        regional |= functions(sources.functions)
        for name, data in archive.read_folder(catalog).items():
            regional[f"blueprints/{name}"] = data
        blueprints = {
            path.relative_to(catalog).as_posix(): template.load(path) for path in sorted(catalog.rglob("*.yaml"))
        }
        whole = main_template(distribution, sources, packaged.sam, blueprints)
    for name, content in {"the main template": whole, **blueprints}.items():
        limits.check_policies(name, content)
    main = template.dump(whole)
    if len(main.encode()) > TEMPLATE_LIMIT:
        raise BuildError(
            f"The main template has {len(main.encode())} bytes; CloudFormation's limit is {TEMPLATE_LIMIT}"
        )
    _write(out / GLOBAL_ASSETS, {MAIN_TEMPLATE: main.encode()})
    _write(out / REGIONAL_ASSETS, regional)


def functions(folder: Path) -> dict[str, bytes]:
    """The zip of each function, including the shared modules it imports, whose names begin with an underscore."""
    zips = {}
    for function in sorted(folder.glob("[!_]*.py")):
        shared = re.findall(r"^(?:from|import) (_[a-z]\w*)", function.read_text("utf-8"), re.MULTILINE)
        files = [function, *(folder / f"{name}.py" for name in shared)]
        zips[f"{function.stem}.zip"] = archive.write_zip({file.name: file.read_bytes() for file in files})
    return zips


def main_template(
    distribution: Distribution, sources: Sources, sam: Template, blueprints: dict[str, Template]
) -> Template:
    """The template that installs the orchestrator in one account."""
    pieces = [
        (name, content) for name, content in template.load_folder(sources.templates).items() if name != CHALICE_PIECE
    ]
    place = {"Bucket": distribution.bucket, "Solution": distribution.solution, "Prefix": distribution.prefix}
    api = {"Resources": template.plain(sam, package.REGION)["Resources"]}
    whole = template.merge(
        [*pieces, ("the build", {"Mappings": {"Distribution": {"Source": place}}}), ("Chalice", api)]
    )
    granted = [
        *(path for path in sources.permissions.glob("*.yaml") if path.name != permissions.BOUNDARY),
        *sources.blueprints.glob(f"*/{permissions.OWN}"),
    ]
    needs = permissions.resource_statements(blueprints, sorted(granted))
    whole["Resources"] |= packing.managed_policies("CloudFormationRole", needs)
    scopes = template.load(sources.permissions / permissions.BOUNDARY)
    generated = {
        "PermissionsBoundary": permissions.boundary(blueprints, scopes),
        "StateMachines": permissions.state_machines(blueprints, "stateMachine"),
        "SupportedRegions": _supported_regions([whole, *blueprints.values()]),
        "Executions": permissions.state_machines(blueprints, "execution"),
    }
    whole = template.replace(whole, "Generated", generated)
    whole = packing.divided(whole)
    _depend_on_everything(whole["Resources"])  # last, because resources added after this would not be guarded
    whole["Description"] = f"{whole['Description']} {distribution.version}"
    return {section: whole[section] for section in SECTIONS if section in whole}


def _depend_on_everything(resources: Template) -> None:
    """Make the guard depend on every resource that it does not reference.

    A conditional resource may not exist: for it, a property with a reference under the same condition creates the
    dependency.
    """
    guard = resources[GUARD]
    named = json.dumps(guard["Properties"])
    others = {name: one for name, one in resources.items() if name != GUARD and f'["{name}", "Arn"]' not in named}
    conditional = {name: one["Condition"] for name, one in others.items() if "Condition" in one}
    guard["DependsOn"] = sorted(others.keys() - conditional.keys())
    guard["Properties"]["DeletedAfterwards"] = [
        {"Fn::If": [condition, {"Ref": name}, ""]} for name, condition in sorted(conditional.items())
    ]


def _supported_regions(templates: list[Template]) -> list[str]:
    """The supported regions. A resource type that no region has is an error in a template."""
    used = regions.types(templates)
    if not (supported := regions.supported(used)):
        nowhere = sorted(used - regions.registries()[regions.LINTED].keys())
        if not nowhere:
            raise BuildError("No region has all resource types of the templates")
        raise BuildError(f"No region has the resource type {', '.join(nowhere)}")
    return supported


def _compile_blueprints(blueprints: Path, out: Path) -> Path:
    try:
        compile_catalog(blueprints, out)
    except BlueprintError as error:
        raise BuildError(f"The blueprints do not compile: {error}") from error
    return out


def _check_out(out: Path) -> None:
    """Check before the build that the output folder can be created."""
    for path in (out, *out.absolute().parents):
        if path.exists():
            if not path.is_dir():
                raise BuildError(f"--out {out}: {path} is a file; specify a folder")
            return


def _write(folder: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _check(what: str, value: str, pattern: str) -> None:
    if not re.fullmatch(pattern, value):
        raise BuildError(f"{value!r} is not a valid {what}; it must match {pattern}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="build-s3-dist.sh", description=__doc__.split("\n")[0])
    parser.add_argument("bucket", help="bucket of the main template; BUCKET-<region> is the bucket of the other files")
    parser.add_argument("solution", help="first part of the prefix in the buckets")
    parser.add_argument("version", help="second part of the prefix")
    parser.add_argument("--out", type=Path, default=BUILDS, help="output folder (default: deployment/)")
    parser.add_argument(
        "--blueprints", type=Path, default=Sources.blueprints, help="folder of the blueprints (default: blueprints/)"
    )
    parser.add_argument(
        "--orchestrator",
        type=Path,
        default=Sources.orchestrator,
        help="folder of the Chalice project (default: orchestrator/)",
    )
    options = parser.parse_args(arguments)
    try:
        distribution = Distribution(options.bucket, options.solution, options.version)
        build(distribution, options.out, Sources(options.orchestrator, options.blueprints))
    except (DeployError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
