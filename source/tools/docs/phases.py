# SPDX-License-Identifier: Apache-2.0
"""What each status of a stack means, as a table."""

from __future__ import annotations

from chalicelib.aws.observed import STACK_PHASES, Phase

from tools.docs.pages import table


def phases_table() -> str:
    """Every phase, and the statuses that mean it."""
    return table(
        ["phase", "statuses"],
        (
            [phase.value, ", ".join(f"`{status}`" for status, meant in sorted(STACK_PHASES.items()) if meant is phase)]
            for phase in Phase
        ),
    )
