# SPDX-License-Identifier: Apache-2.0
"""What Scheduler remembers: schedules by name, as the API describes them."""

from __future__ import annotations

from mlops.local.kit.errors import Caller
from mlops.local.state.store import Store

GROUP = "default"
PRINCIPAL = "scheduler.amazonaws.com"
store = Store("scheduler")
schedules = store.table("Schedule")


def schedule_arn(caller: Caller, name: str, group: str = GROUP) -> str:
    return f"arn:aws:scheduler:{caller.region}:{caller.account_id}:schedule/{group}/{name}"


def group_arn(caller: Caller) -> str:
    """What a role's trust policy sees as aws:SourceArn."""
    return f"arn:aws:scheduler:{caller.region}:{caller.account_id}:schedule-group/{GROUP}"
