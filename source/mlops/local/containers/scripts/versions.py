# SPDX-License-Identifier: Apache-2.0
"""What a script runs with on this machine: the first lines of its log."""

from __future__ import annotations

import platform
from importlib import metadata

from mlops.local.containers.scripts.home import OPT_ML, Home

_PACKAGES = ("scikit-learn", "xgboost", "pandas", "numpy", "scipy")
_OTHER_NAMES = {"xgboost": "xgboost-cpu"}


def banner(place: Home) -> str:
    """The versions that stand in for the image's own, and where the script finds its files."""
    installed = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    where = f"{OPT_ML} is at {place.base}, because {place.why}." if place.why else f"{OPT_ML} is mounted."
    return (
        f"The laptop account runs this image's script on this machine with Python {platform.python_version()}, "
        f"{installed}, whatever versions the image has.\n{where}"
    )


def version(package: str) -> str:
    """The installed version of a package; xgboost is installed under one of two names."""
    for name in (package, _OTHER_NAMES.get(package, package)):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "(not installed)"
