# SPDX-License-Identifier: Apache-2.0
"""The supported regions, computed from the resource types of the templates.

In: templates, and cfn-lint's registries of CloudFormation resource types, one per region.
Out: the supported regions, and the reasons why others are not supported.

CloudFormation rejects a template with a type that the region lacks, even if a condition excludes the resource.
`python -m mlops.deploy.regions DIR` lints the build in DIR for each supported region.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mlops.deploy import template
from mlops.deploy.errors import BuildError, InstallError
from mlops.deploy.template import Template
from mlops.deploy.upload import GLOBAL_ASSETS, MAIN_TEMPLATE, REGIONAL_ASSETS

LINTED = "us-east-1"
CHINA = "CodePipeline has no CloudFormation action there"
# Reasons that the registries don't contain.
REFUSED = {"cn-north-1": CHINA, "cn-northwest-1": CHINA}


def types(templates: Iterable[Template]) -> set[str]:
    """The AWS resource types in templates, without custom resources."""
    found = {resource.get("Type", "") for one in templates for resource in one.get("Resources", {}).values()}
    return {name for name in found if name.startswith("AWS::")}


def supported(used: Iterable[str]) -> list[str]:
    """The regions where these resource types can be used."""
    return [region for region, reason in reasons(used).items() if not reason]


def reasons(used: Iterable[str]) -> dict[str, str]:
    """For each region, the reason why these types cannot be used there; empty if they can."""
    found = {}
    for region, registry in registries().items():
        missing = sorted(set(used) - registry.keys())
        because = [f"CloudFormation does not have {', '.join(missing)} there"] if missing else []
        if region in REFUSED:
            because.append(REFUSED[region])
        # cfn-lint copies us-east-1 for regions without published data.
        if region != LINTED and registry == registries()[LINTED]:
            because.append("its CloudFormation resource types are not published")
        found[region] = "; ".join(because)
    return found


def check(region: str, assets: Path) -> None:
    """Raise InstallError, with the reason, if a build cannot be installed in a region."""
    main, blueprints = read(assets)
    allowed = supported_by(main)
    if region not in allowed:
        reason = (
            reasons(types([main, *blueprints.values()])).get(region)
            or "this build has no data about its CloudFormation resource types"
        )
        raise InstallError(f"{region} is not supported: {reason}. Supported: {', '.join(allowed)}")


def supported_by(main: Template) -> list[str]:
    """The regions that a main template was built for."""
    check = main["Resources"].get("InstallCheck", {})
    regions: list[str] = check.get("Properties", {}).get("SupportedRegions", [])
    if not regions:
        raise InstallError("The build does not list its supported Regions: build it again")
    return regions


def read(assets: Path) -> tuple[Template, dict[str, Template]]:
    """The main template of a build and its blueprints, by file."""
    folder = assets / REGIONAL_ASSETS
    return template.load(assets / GLOBAL_ASSETS / MAIN_TEMPLATE), {
        path.relative_to(folder).as_posix(): template.load(path) for path in sorted(folder.rglob("*.yaml"))
    }


@cache
def registries() -> Mapping[str, Mapping[str, str]]:
    """For each region its resource types, each with a digest of its schema."""
    spec = find_spec("cfnlint")  # only its package data, because importing it takes half a second
    if spec is None or not spec.submodule_search_locations:
        raise BuildError(
            "cfn-lint, which contains the resource types of each region, is not installed: run `make setup`"
        )
    folder = Path(spec.submodule_search_locations[0]) / "data" / "schemas" / "providers"
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*-*.json"))}


def differing(main: Template, blueprints: Mapping[str, Template]) -> list[str]:
    """The supported regions where a type's schema differs from the linted region's."""
    used = types([main, *blueprints.values()])
    known = registries()
    return [
        region
        for region in supported_by(main)
        if any(known[region].get(name) != known[LINTED].get(name) for name in used)
    ]


def main(arguments: list[str]) -> int:
    """Lint a build once, and again for each region that differs from the first."""
    assets = Path(arguments[0])
    whole, blueprints = read(assets)
    files = [assets / GLOBAL_ASSETS / MAIN_TEMPLATE, *(assets / REGIONAL_ASSETS / name for name in blueprints)]
    lint = [str(Path(sys.executable).with_name("cfn-lint")), "--non-zero-exit-code", "warning"]
    regions = [LINTED, *differing(whole, blueprints)]
    done = subprocess.run([*lint, "--regions", *regions, "--template", *map(str, files)], check=False)
    print(f"{len(files)} templates linted for {len(supported_by(whole))} regions ({len(regions)} different)")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
