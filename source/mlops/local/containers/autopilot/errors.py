# SPDX-License-Identifier: Apache-2.0
"""Why an Autopilot job cannot be done."""

from __future__ import annotations


class DataError(Exception):
    """The data, or what the request says of them, cannot be learnt from; the message says why."""


class OutOfTime(Exception):
    """The time is over that the work was given."""
