# SPDX-License-Identifier: Apache-2.0
"""What the laptop account is called, and how long it shows each state.

Time in this account is real but short: a state is shown long enough for code that polls to meet it.
"""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
PORT = 4566  # on 127.0.0.1, unless another is asked for
CUT_OFF = "The laptop account was stopped while this was running."


@dataclass(frozen=True)
class Timing:
    """Seconds that each state is shown."""

    training_starting: float = 0.2
    training_downloading: float = 0.1
    training_uploading: float = 0.1
    transform_starting: float = 0.2
    stopping: float = 0.2
    endpoint_creating: float = 0.4
    endpoint_updating: float = 0.4
    endpoint_deleting: float = 0.2
    source_polling: float = 1.0  # how often an S3 source that polls is looked at
    poll: float = 0.05  # how often a service that waits for another looks again
    save: float = 0.5  # how often changed state is written with --data


TIMING = Timing()
