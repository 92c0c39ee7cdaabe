# SPDX-License-Identifier: Apache-2.0
"""CloudWatch Logs, written with a job's role as SageMaker does: a role that may not write logs has none."""

from __future__ import annotations

import contextlib
import logging
import time

import boto3
from botocore.exceptions import ClientError

_LOG = logging.getLogger(__name__)
_BATCH = 1000


def write(session: boto3.Session, group: str, stream: str, text: str) -> None:
    lines = [line for line in text.splitlines() if line.strip()]
    client = session.client("logs")
    try:
        with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        moment = int(time.time() * 1000)
        for first in range(0, len(lines), _BATCH):
            events = [{"timestamp": moment, "message": line} for line in lines[first:first + _BATCH]]
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    except ClientError as error:
        _LOG.warning("no log %s in %s: %s", stream, group, error)
