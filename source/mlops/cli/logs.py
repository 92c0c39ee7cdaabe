# SPDX-License-Identifier: Apache-2.0
"""mlops logs: the log of a pipeline's job or endpoint, which SageMaker writes to CloudWatch Logs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

import click
from botocore.exceptions import ClientError
from chalicelib.job_kinds import JOB_KINDS, RUNNING
from chalicelib.status.outcome import ENDED

from mlops.cli import managing, naming, show, watching
from mlops.cli.connection import Connection
from mlops.cli.failures import Document, Failure
from mlops.cli.show import Activity

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
LATE = 10.0  # seconds until an event appears in CloudWatch Logs


class _Prefix(TypedDict, total=False):
    logStreamNamePrefix: str


@dataclass
class Log:
    """The log streams of a job or an endpoint."""

    group: str
    prefix: str
    since: int = 0  # milliseconds since the epoch
    printed: set[str] = field(default_factory=set)  # ids of the events that were printed

    def new(self, connection: Connection) -> Iterator[FilteredLogEventTypeDef]:
        """The new events. None if nothing has been logged."""
        pages = connection.session.client("logs").get_paginator("filter_log_events")
        prefix: _Prefix = {"logStreamNamePrefix": self.prefix} if self.prefix else {}
        try:
            for page in pages.paginate(logGroupName=self.group, startTime=self.since, **prefix):
                for event in page["events"]:
                    if event["eventId"] not in self.printed:
                        self.printed.add(event["eventId"])
                        yield event
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise

    def forget(self) -> None:
        """From now on, request only recent events."""
        self.since = max(self.since, int((time.time() - 60) * 1000))


def since(context: click.Context, option: click.Parameter, given: str | None) -> float | None:
    if given is None:
        return None
    found = re.fullmatch(r"(\d+) ?(s|m|min|h|d)", given)
    if not found:
        raise click.BadParameter(f"{given!r} is not a duration, for example 10min, 2h or 3d", context, option)
    return float(found[1]) * UNITS[found[2]]


@click.command(epilog="Example:  mlops logs churn --follow")
@naming.argument
@click.option("--follow", "-f", is_flag=True, help="Print new events until the job ends.")
@click.option(
    "--since", callback=since, metavar="TIME", help="Print events newer than this, for example 10min, 2h or 3d."
)
@click.option("--job", metavar="NAME", help="Name of an earlier job. To list the jobs, use mlops history.")
@click.pass_obj
def logs(connection: Connection, name: str, follow: bool, since: float | None, job: str | None) -> None:
    """Print the log of a pipeline's latest job, or of its endpoint.

    By default, an endpoint's log is printed for the last hour.
    """
    with show.activity(f"Finding the log of {name}") as activity:
        found = managing.call_by_name(connection, "GET", name)["pipeline"]
        name = found["name"]
        while follow and not job and log_of(found) is None and found["status"] not in ENDED:
            activity.now(f"{name}: waiting for its job")
            time.sleep(managing.poll_interval(connection))
            found = watching.patient_status_of(connection, name, activity)["pipeline"]
    log = of_job(connection, name, job) if job else log_of(found)
    if log is None:
        raise Failure(f"{found['name']} has no job and no endpoint", f"see its status: mlops status {name}")
    if since is not None or log.group.startswith(ENDPOINTS):
        log.since = int((time.time() - (3600 if since is None else since)) * 1000)
    count = show_events(log.new(connection), follow)
    if follow:
        following(connection, name, log)
    elif not count:
        where = f"{log.group}, streams {log.prefix}…" if log.prefix else log.group
        show.err().print(f"  No log events yet ({where}).", markup=False)


ENDPOINTS = "/aws/sagemaker/Endpoints/"


def log_of(found: Document) -> Log | None:
    """The log of the latest job, or of the endpoint."""
    if job := found.get("job"):
        return of_kind(job["kind"], job["name"])
    endpoint = (found.get("outputs") or {}).get(managing.ENDPOINT)
    return Log(f"{ENDPOINTS}{endpoint}", "") if endpoint else None


def of_kind(kind: str, name: str) -> Log:
    job_kind = JOB_KINDS[kind]
    return Log(job_kind.log_group, job_kind.log_streams(name))


def of_job(connection: Connection, pipeline: str, name: str) -> Log:
    """The log of one of the pipeline's jobs."""
    after = ""
    while True:
        page = managing.call_by_name(connection, "GET", pipeline, "/runs", limit="50", next=after)
        for run in page["runs"]:
            if run["job"] and run["job"]["name"] == name:
                return of_kind(run["job"]["kind"], name)
        after = page.get("next", "")
        if not after:
            raise Failure(f"{pipeline} has no job {name}", f"list its jobs: mlops history {pipeline}")


def following(connection: Connection, name: str, log: Log) -> None:
    """Print new events until the job ends; for an endpoint, until Ctrl-C."""
    pause = managing.poll_interval(connection)
    quiet = Activity(show.err())
    while True:
        running = log.group.startswith(ENDPOINTS) or is_running(connection, name, log, quiet)
        if not running:  # its last events take time to appear
            time.sleep(pause if connection.is_custom_endpoint else LATE)
        show_events(log.new(connection), True)
        if not running:
            return
        log.forget()
        time.sleep(pause)


def is_running(connection: Connection, name: str, log: Log, activity: Activity) -> bool:
    job = watching.patient_status_of(connection, name, activity)["pipeline"].get("job")
    return bool(job) and log.prefix.rstrip("/") == job["name"] and job["status"] in RUNNING


def show_events(events: Iterator[FilteredLogEventTypeDef], lines: bool) -> int:
    """Print events and return their number. With --json, one document, or a line for each if more can follow."""
    if not show.wants_json():
        printed = 0
        for event in events:
            click.echo(event["message"].rstrip("\n"))
            printed += 1
        return printed
    found: list[dict[str, Any]] = [
        {
            "time": datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds"),
            "stream": event["logStreamName"],
            "message": event["message"],
        }
        for event in events
    ]
    if lines:
        for one in found:
            show.json_line(one)
    else:
        show.as_json({"events": found})
    return len(found)
