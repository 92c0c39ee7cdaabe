# SPDX-License-Identifier: Apache-2.0
"""mlops stop, delete: stop a pipeline's run, delete a pipeline."""

from __future__ import annotations

import sys
import time
from http import HTTPStatus

import click
from chalicelib.status.outcome import ENDED

from mlops.cli import naming, pipelines, show, watching
from mlops.cli.connection import Connection
from mlops.cli.failures import ApiError, Document, Failure, Interrupted
from mlops.cli.show import Activity
from mlops.defaults import PIPELINE_PREFIX

ENDPOINT = "SageMakerEndpointName"


@click.command(epilog="Example:  mlops stop churn")
@naming.argument
@click.option("--no-wait", is_flag=True, help="Do not wait until the run has ended.")
@click.pass_obj
def stop(connection: Connection, name: str, no_wait: bool) -> None:
    """Stop a pipeline's run and its SageMaker job.

    A run that is deploying a stack stops when the stack has been created or updated.
    """
    answer = call_by_name(connection, "POST", name, "/stop")
    as_json = show.wants_json()
    if not as_json:
        builds = {"Build": ", ".join(answer["builds"])} if answer.get("builds") else {}
        show.success(answer["message"], {**{job["kind"]: job["name"] for job in answer["jobs"]}, **builds})
    if answer["executions"] and not no_wait:
        answer["status"] = stopped(connection, answer["name"])
        if not as_json:
            show.success(f"{answer['name']} {show.spaced(answer['status']['pipeline']['status'])}")
    if as_json:
        show.as_json(answer)


def stopped(connection: Connection, name: str) -> Document:
    """Wait until a pipeline's run has ended; returns the status document."""
    try:
        with show.activity(f"Waiting until {name} has stopped") as activity:
            while True:
                document = watching.patient_status_of(connection, name, activity)
                if document["pipeline"]["status"] in ENDED:
                    return document
                time.sleep(poll_interval(connection))
    except KeyboardInterrupt as interrupt:
        raise Interrupted(f"Stopped waiting; {name} is still stopping", f"mlops status {name}") from interrupt


@click.command(epilog="Example:  mlops delete churn")
@naming.argument
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
@click.option("--stop", "stopping", is_flag=True, help="Stop the pipeline first if it is running.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, without deleting it.")
@click.pass_obj
def delete(connection: Connection, name: str, yes: bool, stopping: bool, dry_run: bool) -> None:
    """Delete a pipeline and the resources it deployed.

    Deletes the deployed stack, the delivery stack and the template bundle. Data, models and job records are kept.

    Without --yes, the command shows what will be deleted and prompts for confirmation. With --yes, NAME must be the
    full name; mlops-pipeline- can be omitted.
    """
    stop = "true" if stopping else ""
    planned = plan_of(connection, name, stop)
    if yes and planned["name"] not in (name.lower(), f"{PIPELINE_PREFIX}-{name.lower()}"):
        raise Failure(
            f"--yes requires the full name; {name!r} is only a prefix", f"mlops delete {planned['name']} --yes"
        )
    name = planned["name"]
    as_json = show.wants_json()
    if dry_run:
        if as_json:
            show.as_json(planned)
        else:
            show_plan(connection, planned)
        return
    if not yes:
        confirm(connection, planned)
    try:
        with show.activity(f"Deleting {name}") as activity:
            answer = deleted(connection, name, stop, activity)
    except KeyboardInterrupt as interrupt:
        again = f"to continue: mlops delete {name}"
        raise Interrupted(f"Stopped waiting; {name} is partly deleted", again) from interrupt
    answer = {**planned, **answer}
    if as_json:
        show.as_json(answer)
    else:
        show.success(answer["message"])
        show_list("Kept:", answer["stays"])


def plan_of(connection: Connection, name: str, stop: str) -> Document:
    """What would be deleted and what would be kept. Raises ApiError if the pipeline cannot be deleted."""
    try:
        return call_by_name(connection, "DELETE", name, dry_run="true", stop=stop)
    except ApiError as error:
        if error.status == HTTPStatus.CONFLICT and not error.retry_after and not stop:
            # raises if stopping the run is not enough
            name = call_by_name(connection, "DELETE", name, dry_run="true", stop="true")["name"]
            error.hint = f"to stop and delete it: mlops delete {name} --stop; to only stop it: mlops stop {name}"
        raise


def confirm(connection: Connection, planned: Document) -> None:
    if show.wants_json() or not sys.stdin.isatty():
        raise Failure(
            f"{planned['name']} was not deleted: confirmation requires a terminal", "use --yes to skip confirmation"
        )
    show_plan(connection, planned)
    click.confirm(f"Delete {planned['name']}?", abort=True, err=True)


def show_plan(connection: Connection, planned: Document) -> None:
    endpoint = endpoint_of(connection, planned["name"]) if planned["deletes"] else ""
    live = [f"endpoint {endpoint}"] if endpoint else []
    show_list("Will be deleted:", [*(f"stack {name}" for name in planned["deletes"]), *live, "template bundle"])
    show_list("Will be kept:", planned["stays"])


def endpoint_of(connection: Connection, name: str) -> str:
    try:
        return str(watching.status_of(connection, name)["pipeline"]["outputs"].get(ENDPOINT, ""))
    except ApiError:  # a partly deleted pipeline can be without a status
        return ""


def show_list(heading: str, lines: list[str]) -> None:
    console = show.err()
    console.print(heading, style="bold")
    for line in lines:
        console.print(f"  {line}", markup=False)


def deleted(connection: Connection, name: str, stop: str, activity: Activity) -> Document:
    """Repeat the request until nothing is left; returns the last response."""
    begun = False
    while True:
        try:
            answer = connection.call("DELETE", f"pipelines/{name}", b"", stop=stop)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND and begun:  # the response to the last step was lost
                return {"message": f"The pipeline {name} is deleted.", "deleted": True, "deletes": []}
            # Before the first step, a conflict is temporary; after it, this deletion has failed.
            waits = error.status in watching.BUSY or (error.status == HTTPStatus.CONFLICT and not begun)
            if not waits or not error.retry_after:
                raise
            watching.pause(activity, min(error.retry_after, poll_interval(connection)), error.message)
            continue
        if answer["deleted"]:
            return answer
        begun = True
        activity.line(answer["message"])
        activity.now(answer["message"])
        time.sleep(poll_interval(connection))


def call_by_name(connection: Connection, method: str, name: str, action: str = "", **query: str) -> Document:
    """A request about a pipeline, given by name or prefix. Raises ApiError."""

    def ask(name: str) -> Document:
        return connection.call(method, f"pipelines/{name}{action}", b"", **query)

    name = name.split("/")[1] if name.startswith("arn:") and "/" in name else name  # the delivery stack's id
    try:
        return naming.with_full_name(connection, name, ask)
    except ApiError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            error.hint = pipelines.similar_names_hint(connection, name) or pipelines.region_hint(connection)
        raise


def poll_interval(connection: Connection) -> float:
    """Seconds between two status requests."""
    return watching.PAUSE_ON_LAPTOP if connection.is_custom_endpoint else watching.PAUSE
