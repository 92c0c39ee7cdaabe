# SPDX-License-Identifier: Apache-2.0
"""What an endpoint leaves in CloudWatch: its container's log lines, and the metrics of its invocations.

Both are written a second later, by one thread. Log lines go to /aws/sagemaker/Endpoints/<endpoint>, stream
<variant>/<instance>, with the model's execution role, as on AWS: a role that may not write logs has none. Metrics go to
AWS/SageMaker with the dimensions EndpointName and VariantName. Under load a second's log is cut, not its metrics.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import cloudwatch, context
from mlops.local.services.sagemaker.logs import ENDPOINTS
from mlops.local.services.sagemaker.service import PRINCIPAL
from mlops.local.state.outbox import Outbox

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_LOG = logging.getLogger(__name__)
_NAMESPACE = "AWS/SageMaker"
_GATHER = 1.0  # seconds in which reports are gathered
_CLIENTS = 10  # kept, each for a role
_LINES = 20  # log lines of one variant that are kept of each gathering


@dataclass(frozen=True)
class Source:
    """A variant's instance, as its logs and metrics name it."""

    caller: Caller
    endpoint: str
    variant: str
    instance: str
    role_arn: str


@dataclass(frozen=True)
class Invocation:
    """How one request went; times in seconds."""

    status: int
    size: int
    model: float
    whole: float
    instances: int
    problem: str = ""

    @property
    def is_server_error(self) -> bool:
        """A status of 5XX, or 0: the container did not answer in time."""
        return self.status >= 500 or not self.status


def instance_id(endpoint_arn: str, config_name: str) -> str:
    """What the instance of a deployment is called: the same for one config of one endpoint."""
    digest = hashlib.md5(f"{endpoint_arn} {config_name}".encode(), usedforsecurity=False).hexdigest()
    return f"i-{digest[:17]}"


def log(source: Source, *lines: str) -> None:
    """Lines of a variant's container."""
    moment = int(time.time() * 1000)
    for line in lines:
        _outbox.put((source, (moment, line)))


def invoked(source: Source, invocation: Invocation) -> None:
    """Count an invocation, and log it as the container's web server does."""
    moment = datetime.now(UTC)
    shown = (
        f'127.0.0.1 - - [{moment:%d/%b/%Y:%H:%M:%S +0000}] "POST /invocations HTTP/1.1" '
        f'{invocation.status} {invocation.size} "-" "-"'
    )
    log(source, *([invocation.problem] if invocation.problem else []), shown)
    _outbox.put((source, invocation))


# --- writing -----------------------------------------------------------------------------------------------

_clients: dict[tuple[Caller, str], Any] = {}


def _write_all(gathered: list[tuple[Source, tuple[int, str] | Invocation]]) -> None:
    lines: dict[Source, list[tuple[int, str]]] = defaultdict(list)
    counted: dict[Source, list[Invocation]] = defaultdict(list)
    for source, what in gathered:
        if isinstance(what, Invocation):
            counted[source].append(what)
        else:
            lines[source].append(what)
    for source, invocations in counted.items():
        _count(source, invocations)
    for source, written in lines.items():
        _write(source, written)
    while len(_clients) > _CLIENTS:
        del _clients[next(iter(_clients))]


def _count(source: Source, invocations: list[Invocation]) -> None:
    dimensions = {"EndpointName": source.endpoint, "VariantName": source.variant}
    measured: dict[tuple[str, str], Iterable[float]] = {
        ("Invocations", "None"): [1.0 for _ in invocations],
        ("InvocationsPerInstance", "None"): [1.0 / one.instances for one in invocations],
        ("Invocation4XXErrors", "None"): [float(400 <= one.status < 500) for one in invocations],
        ("Invocation5XXErrors", "None"): [float(one.is_server_error) for one in invocations],
        ("InvocationModelErrors", "None"): [float(one.status >= 400 or one.is_server_error) for one in invocations],
        ("ModelLatency", "Microseconds"): [one.model * 1e6 for one in invocations],
        ("OverheadLatency", "Microseconds"): [(one.whole - one.model) * 1e6 for one in invocations],
    }
    with context.scope(source.caller.account_id, source.caller.region):
        for (name, unit), values in measured.items():
            cloudwatch.record_metric(_NAMESPACE, name, list(values), unit, dimensions)


def _write(source: Source, lines: list[tuple[int, str]]) -> None:
    group, stream = f"{ENDPOINTS}{source.endpoint}", f"{source.variant}/{source.instance}"
    holder = (source.caller, source.role_arn)
    try:
        with context.scope(source.caller.account_id, source.caller.region):
            if holder not in _clients:
                _clients[holder] = identity.role_session(source.role_arn, PRINCIPAL, source.caller).client("logs")
            client = _clients[holder]
            if left_out := len(lines[_LINES:]):
                lines = [*lines[:_LINES], (lines[-1][0], f"[INFO] {left_out} more lines of this second are omitted")]
            events = [{"timestamp": moment, "message": line} for moment, line in lines]
            try:
                client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
            except client.exceptions.ResourceNotFoundException:
                _make(client, group, stream)
                client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    except (ClientError, BotoCoreError, ApiError) as error:
        _clients.pop(holder, None)
        _LOG.warning("no log %s in %s: %s", stream, group, error)


def _make(client: CloudWatchLogsClient, group: str, stream: str) -> None:
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_group(logGroupName=group)
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_stream(logGroupName=group, logStreamName=stream)


_outbox = Outbox("endpoint-reports", _GATHER, _write_all)
