# SPDX-License-Identifier: Apache-2.0
"""EventBridge."""

from __future__ import annotations

from typing import Any

from ministack.services import eventbridge as _eventbridge


def put_event(entry: dict[str, Any]) -> None:
    """Publish an event of a service (`aws.…`) on the default bus."""
    _eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
