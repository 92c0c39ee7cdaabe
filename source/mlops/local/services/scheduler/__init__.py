# SPDX-License-Identifier: Apache-2.0
"""EventBridge Scheduler: schedules, whose targets are started with the role that each names.

schedules.py   the API
due.py         when a schedule is due
clock.py       the thread that waits for the next one
targets.py     what a schedule can start
resource.py    AWS::Scheduler::Schedule
"""

from mlops.local.services.scheduler import resource, schedules

__all__ = ["resource", "schedules"]
