# SPDX-License-Identifier: Apache-2.0
"""Waits until a request is accepted or a pipeline has ended. At Ctrl-C, prints what is still running."""

from __future__ import annotations

import json
import time
from typing import Any

from botocore.exceptions import HTTPClientError, SSLError
from chalicelib.status.outcome import ENDED

from mlops.cli import show, view
from mlops.cli.connection import Connection
from mlops.cli.failures import ApiError, Document, Failure, PipelineFailed, StoppedSending, StoppedWatching
from mlops.cli.show import Activity

BUSY = {429, 502, 503, 504}
WORTH_WAITING_FOR = {409, 429, 503}
PAUSE, PAUSE_ON_LAPTOP = 5.0, 0.4
PATIENCE = (1.0, 2.0, 5.0, 10.0)  # seconds between attempts, while AWS or the network fails
TIMEOUT = 3600  # a request waits for a running pipeline, and a training job can take long
APPEARS_WITHIN = 60.0  # seconds until a started run appears in a stage of its pipeline


def status_of(connection: Connection, pipeline: str) -> Document:
    """The pipeline's status document, without what boto3 added to CodePipeline's response."""
    document = connection.post("pipelinestatus", json.dumps({"pipeline_id": pipeline}).encode())
    return {key: value for key, value in document.items() if key != "ResponseMetadata"}


def send_until_accepted(connection: Connection, body: bytes, timeout: float | None) -> Document:
    """Send a request. With a timeout in seconds, resend it after each Retry-After until it is accepted."""
    deadline = time.monotonic() + (timeout or 0)
    last_error: ApiError | None = None
    try:
        with show.activity("Sending the request") as activity:
            while True:
                try:
                    return connection.post("provisionpipeline", body)
                except ApiError as error:
                    last_error = error
                wait = last_error.retry_after
                if timeout is None or wait is None or last_error.status not in WORTH_WAITING_FOR:
                    raise last_error
                if time.monotonic() + wait > deadline:
                    last_error.hint = (
                        f"the request was not accepted within {timeout:g} s; to wait longer, use --timeout"
                    )
                    raise last_error
                pause(activity, wait, last_error.message)
    except KeyboardInterrupt as interrupt:
        raise StoppedSending(last_error) from interrupt


def pause(activity: Activity, seconds: float, why: str) -> None:
    text = f"Waiting {seconds:g} s: {why}"
    activity.line(text)
    activity.now(text)
    time.sleep(seconds)


def follow(connection: Connection, pipeline: str, execution: str | None = None) -> Document:
    """Watch a pipeline until it has ended, and return its last status document.

    With `execution`, until that run has ended. Raises PipelineFailed, and StoppedWatching at Ctrl-C.
    """
    try:
        with show.activity("") as activity:
            if activity.has_spinner:
                activity.line(f"Watching {pipeline}")
            document = watched(connection, pipeline, execution, activity)
    except KeyboardInterrupt as interrupt:
        raise StoppedWatching(pipeline) from interrupt
    if document["pipeline"]["status"] != "Succeeded":
        raise PipelineFailed(document)
    return document


def watched(connection: Connection, pipeline: str, execution: str | None, activity: Activity) -> Document:
    interval = PAUSE_ON_LAPTOP if connection.is_custom_endpoint else PAUSE
    deadline = time.monotonic() + APPEARS_WITHIN
    while True:
        document = patient_status_of(connection, pipeline, activity)
        found = document["pipeline"]
        has_ended = found["status"] in ENDED
        if has_ended and execution not in {None, *executions(document)}:
            # the status is still the previous run's
            if time.monotonic() > deadline:
                raise Failure(
                    f"Run {execution} of {pipeline} was superseded by another run",
                    f"watch that run: mlops status {pipeline} --watch",
                )
            activity.now("waiting for the run to start")
        else:
            if not has_ended and not activity.has_spinner:
                activity.line(f"{found['name']}: {show.spaced(found['status'])}")
            for event in view.events(document):
                show_event(event, activity)
            activity.now(view.now(document))
            if has_ended:
                return document
        time.sleep(interval)


def show_event(event: view.Event, activity: Activity) -> None:
    """Print an event as a permanent line. On a terminal, the spinner shows what is in progress."""
    if not activity.has_spinner:
        activity.line(f"  {event.text}")
    elif not event.in_progress:
        activity.line(show.mark(event.state), " ", event.text)


def patient_status_of(connection: Connection, pipeline: str, activity: Activity) -> Document:
    """The same, with retries while AWS is throttling or the network fails."""
    for wait in PATIENCE:
        try:
            return status_of(connection, pipeline)
        except ApiError as error:
            if error.status not in BUSY:
                raise
            pause(activity, error.retry_after or wait, error.message)
        except SSLError:
            raise
        except HTTPClientError as error:
            pause(activity, wait, str(error))
    return status_of(connection, pipeline)


def executions(document: Document) -> set[Any]:
    """The executions in the pipeline's stages."""
    return {stage.get("latestExecution", {}).get("pipelineExecutionId") for stage in document.get("stageStates", [])}
