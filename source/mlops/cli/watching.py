# SPDX-License-Identifier: Apache-2.0
"""Follows a pipeline until it ends: a live view on a terminal, one line a change elsewhere."""

from __future__ import annotations

import json
import time
from typing import Any

from rich.live import Live

from mlops.cli import show
from mlops.cli.connection import Connection
from mlops.cli.failures import Document, PipelineFailed, Refused, StoppedWatching

BUSY = {429, 502, 503, 504}
ENDED = {"Succeeded", "Failed", "Stopped"}
PAUSE, PAUSE_ON_LAPTOP = 5.0, 0.4


def status_of(connection: Connection, pipeline: str) -> Document:
    return connection.post("pipelinestatus", json.dumps({"pipeline_id": pipeline}).encode())


def patient_status_of(connection: Connection, pipeline: str) -> Document:
    """The same, unmoved by a few answers that say AWS is busy: a long watch meets some."""
    for wait in (1.0, 2.0, 5.0, 10.0):
        try:
            return status_of(connection, pipeline)
        except Refused as refused:
            if refused.status not in BUSY:
                raise
            time.sleep(wait)
    return status_of(connection, pipeline)


def follow(connection: Connection, pipeline: str, execution: str | None = None) -> Document:
    """Show a pipeline until it has ended, and answer its last status.

    With `execution` its end is that execution's, not that of one before it. Raises PipelineFailed, and
    StoppedWatching at Ctrl-C.
    """
    try:
        document = shown_until_it_ends(connection, pipeline, execution)
    except KeyboardInterrupt as interrupt:
        raise StoppedWatching(pipeline) from interrupt
    if document["pipeline"]["status"] != "Succeeded":
        raise PipelineFailed(document)
    return document


def shown_until_it_ends(connection: Connection, pipeline: str, execution: str | None) -> Document:
    console = show.err()
    pause = PAUSE_ON_LAPTOP if connection.is_elsewhere else PAUSE
    document = patient_status_of(connection, pipeline)
    if console.is_terminal:
        with Live(show.pipeline(document, live=True), console=console, refresh_per_second=8) as view:
            while not ended(document, execution):
                time.sleep(pause)
                document = patient_status_of(connection, pipeline)
                view.update(show.pipeline(document, live=True))
            view.update(show.pipeline(document))
    else:
        told: set[str] = set()
        while True:
            for line in show.lines(document):
                if line not in told:
                    console.print(line, markup=False)
                    told.add(line)
            if ended(document, execution):
                break
            time.sleep(pause)
            document = patient_status_of(connection, pipeline)
    return document


def ended(document: Document, execution: str | None) -> bool:
    if document["pipeline"]["status"] not in ENDED:
        return False
    return execution is None or execution in executions(document)


def executions(document: Document) -> set[Any]:
    """The executions that stand in the pipeline's stages."""
    return {stage.get("latestExecution", {}).get("pipelineExecutionId") for stage in document.get("stageStates", [])}
