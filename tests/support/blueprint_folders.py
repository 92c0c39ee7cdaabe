# SPDX-License-Identifier: Apache-2.0
"""The blueprint folders that tests hold together: those that ship, and the fresh, minimal ones of tests/catalogue.

What is parametrised over FOLDERS or EXAMPLES holds for a folder that somebody drops in, not only for those that exist.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mlops.templates.folder import read_folders, read_parts
from mlops.templates.schema import properties_of

ROOT = Path(__file__).parents[2]
ROOTS = (ROOT / "blueprints", ROOT / "tests" / "catalogue")
FOLDERS = sorted(path.parent for root in ROOTS for path in root.glob("*/blueprint.yaml"))
EXAMPLES = [path for folder in FOLDERS for path in sorted(folder.glob("examples/*.json"))]


def gathered(into: Path) -> Path:
    """Everything of all roots in one folder, as it would be after dropping the minimal ones into blueprints/."""
    for root in ROOTS:
        shutil.copytree(root, into, dirs_exist_ok=True)
    return into


def fields(folder: Path) -> dict[str, dict[str, Any]]:
    """The fields that a folder's request schema describes, those of parts among them."""
    (read,) = [one for one in read_folders(folder.parent) if one.name == folder.name]
    return properties_of(read, read_parts(ROOT / "blueprints"))
