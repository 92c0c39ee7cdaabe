# SPDX-License-Identifier: Apache-2.0
"""Where the files lie that mlops reads and Python does not import: blueprints, templates, functions, the orchestrator.

In a checkout they are the checkout's own. An installed mlops brings a copy in the same order (pyproject.toml lists
what), so that it compiles blueprints, builds and installs as a checkout does.
"""

from __future__ import annotations

import os
from pathlib import Path

_INSTALLED = Path(__file__).parent / "_source_tree"
IS_CHECKOUT = not _INSTALLED.is_dir()
ROOT = Path(__file__).parents[2] if IS_CHECKOUT else _INSTALLED
BLUEPRINTS = ROOT / "blueprints"
PERMISSIONS = ROOT / "deployment" / "permissions"

_CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE = ROOT / "build" if IS_CHECKOUT else _CACHES / "mlops-orchestrator"  # what a build downloads
BUILDS = ROOT / "deployment" if IS_CHECKOUT else Path("deployment")  # where a build is written unless told otherwise
