# SPDX-License-Identifier: Apache-2.0
"""CloudWatch Logs, written with a job's role as SageMaker does: a role that may not write logs has none."""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

_LOG = logging.getLogger(__name__)
ENDPOINTS = "/aws/sagemaker/Endpoints/"  # the log groups of endpoints begin so
_BATCH = 1000
_PAUSE = 1.0


class LogStream:
    """Carries what a process writes into a file to a log stream, while it writes."""

    def __init__(self, session: boto3.Session, group: str, name: str, file: Path) -> None:
        self._session, self._group, self._name, self._file = session, group, name, file
        self._position = 0
        self._last = time.monotonic()
        self._open = False
        self._refused = False

    def forward(self, now: bool = False) -> list[str]:
        """Send what is new since the last time, once a second or `now`; these lines."""
        if not (now or time.monotonic() - self._last > _PAUSE):
            return []
        self._last = time.monotonic()
        with self._file.open("rb") as file:
            file.seek(self._position)
            content = file.read()
        if not now:
            content = content[: content.rfind(b"\n") + 1]  # the last line may be half written
        self._position += len(content)
        lines = [line for line in content.decode(errors="replace").splitlines() if line.strip()]
        try:
            if not self._refused:
                self._put(lines)
        except ClientError as error:
            self._refused = True
            _LOG.warning("no log %s in %s: %s", self._name, self._group, error)
        return lines

    def _put(self, lines: list[str]) -> None:
        client = self._session.client("logs")
        if not self._open:
            with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
                client.create_log_group(logGroupName=self._group)
            client.create_log_stream(logGroupName=self._group, logStreamName=self._name)
            self._open = True
        moment = int(time.time() * 1000)
        for first in range(0, len(lines), _BATCH):
            events: list[InputLogEventTypeDef] = [
                {"timestamp": moment, "message": line} for line in lines[first : first + _BATCH]
            ]
            client.put_log_events(logGroupName=self._group, logStreamName=self._name, logEvents=events)
