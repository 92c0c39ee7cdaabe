# SPDX-License-Identifier: Apache-2.0
"""Which services the account on the laptop has, as docs/laptop.md lists them."""

from __future__ import annotations

from mlops.local.kit import served


def services() -> str:
    """A list: our own services, those of ministack, and the operations of those that are there in part."""
    found = served.SERVICES.values()
    parts = [f"{one.title} ({', '.join(f'`{name}`' for name in one.operations)})" for one in found if one.operations]
    return "\n".join(
        [
            "- SageMaker, CodePipeline, CodeBuild and EventBridge Scheduler, which are part of this project",
            f"- from ministack: {', '.join(one.title for one in found if not one.operations)}",
            f"- from ministack, these operations only: {'; '.join(parts)}",
        ]
    )
