# SPDX-License-Identifier: Apache-2.0
"""Instance type -> its family: the processor, the accelerator and the storage that its instances have.

Reads instance_families.json (made by `make instance-families`) once, when first asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Architecture = Literal["x86_64", "arm64"]
Accelerator = Literal["gpu", "inferentia", "trainium", "gaudi"]

TABLE = Path(__file__).with_name("instance_families.json")


@dataclass(frozen=True)
class Family:
    """What all instances of a family have in common."""

    name: str  # the m5 of ml.m5.large
    architecture: Architecture
    accelerator: Accelerator | None
    local_storage: bool  # its disks encrypt themselves: SageMaker refuses a KMS key for them


def family_of(instance_type: str) -> Family | None:
    """The family of an instance type, None where the table has none: every type that SageMaker lists has one."""
    match = re.fullmatch(r"ml\.([a-z0-9-]+)\.[a-z0-9-]+", instance_type)
    return table().get(match[1]) if match else None


def has_local_storage(instance_type: str) -> bool:
    """Whether SageMaker refuses a KMS key for the instances' volumes."""
    family = family_of(instance_type)
    return family is not None and family.local_storage


@cache
def table() -> Mapping[str, Family]:
    """Every family by its name."""
    rows = json.loads(TABLE.read_text(encoding="utf-8"))
    return {name: Family(name, **row) for name, row in rows.items()}
