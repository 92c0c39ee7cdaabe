# SPDX-License-Identifier: Apache-2.0
"""Why an Autopilot job cannot be done."""

from __future__ import annotations

from mlops.local.containers.process import WorkFailed


class DataError(WorkFailed):
    """The data, or what the request says of them, cannot be learnt from; the message says why."""

    prefix = "ClientError"


class OutOfTime(Exception):
    """The time is over that the work was given."""
