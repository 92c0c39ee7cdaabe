# SPDX-License-Identifier: Apache-2.0
"""mlops provision, status, run, validate: one pipeline from its request to its end."""

from __future__ import annotations

import json
from typing import IO

import click
from botocore.exceptions import ClientError

from mlops.cli import offline, show, watching
from mlops.cli.connection import Connection
from mlops.cli.failures import Failure, Refused
from mlops.cli.request_file import without_comments

DELIVERY = "-codepipeline"
NOT_FOUND = 404
SUGGESTIONS = 5
watch_option = click.option("--watch", is_flag=True, help="Follow the pipeline until it has ended.")


@click.command(epilog="Example:  mlops provision training.json --watch")
@click.argument("file", type=click.File("rb"))
@click.option("--rerun", is_flag=True, help="Run again, even where the request is the one already provisioned.")
@watch_option
@click.pass_obj
def provision(connection: Connection, file: IO[bytes], rerun: bool, watch: bool) -> None:
    """Send the request in FILE (- for stdin) and make or update its pipeline.

    FILE is JSON; lines that begin with // are comments, which are removed before the request is sent. If the same
    request was provisioned before, nothing is written and nothing runs, unless --rerun is given.
    """
    body = without_comments(file.read())
    answer = connection.post("provisionpipeline", asking_again(body) if rerun else body)
    name = answer.get("name") or answer["pipeline_id"]
    as_json = show.wants_json()
    if not as_json:
        show.success(answer["message"], {"pipeline": name, "id": answer["pipeline_id"]})
        show.warnings(answer.get("warnings", []))
    if watch:
        status = watching.follow(connection, answer["pipeline_id"], answer.get("execution_id"))
        answer = {**answer, "status": status}
        if not as_json:
            show.facts(status["pipeline"].get("outputs") or {})
    elif not as_json:
        show.err().print(f"  follow it: mlops status {name} --watch")
    if as_json:
        show.as_json(answer)


def asking_again(body: bytes) -> bytes:
    """The request with "rerun": true. The rest stays as it is written (1.10 isn't 1.1), and what is no request is
    sent as it is, for the API to say why."""
    try:
        request = json.loads(body)
    except ValueError:
        return body
    if not isinstance(request, dict) or not request or "rerun" in request:
        return body
    return body.replace(b"{", b'{"rerun": true, ', 1)


@click.command(epilog="Example:  mlops status mlops-pipeline-churn-modeltraining --watch")
@click.argument("name_or_id")
@watch_option
@click.pass_obj
def status(connection: Connection, name_or_id: str, watch: bool) -> None:
    """Say how a pipeline is doing: its stages, what it made, and why it failed.

    NAME_OR_ID is the pipeline's name, or the pipeline_id that provisioning answered. A failed pipeline is told
    and isn't an error, except with --watch.
    """
    try:
        document = watching.follow(connection, name_or_id) if watch else watching.status_of(connection, name_or_id)
    except Refused as refused:
        if refused.status == NOT_FOUND:
            refused.hint = like(connection, name_or_id)
        raise
    if show.wants_json():
        show.as_json(document)
    else:
        if not watch:
            show.out().print(show.pipeline(document))
        show.facts(document["pipeline"].get("outputs") or {})


@click.command(epilog="Example:  mlops run mlops-pipeline-churn-modeltraining --watch")
@click.argument("name")
@watch_option
@click.pass_obj
def run(connection: Connection, name: str, watch: bool) -> None:
    """Run a pipeline again as it is: trains anew, deploys what changed outside."""
    pipeline = delivery_pipeline(connection, name)
    execution: str = connection.client("codepipeline").start_pipeline_execution(name=pipeline)["pipelineExecutionId"]
    as_json = show.wants_json()
    document = {"name": name, "pipeline": pipeline, "execution_id": execution}
    if not as_json:
        show.success(f"{name} runs again", {"execution": execution})
    if watch:
        document["status"] = watching.follow(connection, name, execution)  # type: ignore[assignment]
    if as_json:
        show.as_json(document)


def delivery_pipeline(connection: Connection, name: str) -> str:
    """The pipeline in CodePipeline that belongs to a name of ours: its delivery stack says."""
    stack = name if name.startswith("arn:") or name.endswith(DELIVERY) else f"{name}{DELIVERY}"
    try:
        [found] = connection.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        hint = like(connection, name) or "provision it first: mlops provision FILE"
        raise Failure(f"There is no pipeline {name!r}", hint) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    if "PipelineName" not in outputs:
        raise Failure(f"{name} is {found['StackStatus']} and has no pipeline yet", f"see: mlops status {name}")
    return str(outputs["PipelineName"])


def like(connection: Connection, part: str) -> str:
    """The pipelines that have `part` in their names, as a hint: a model's name is a part of its pipelines'."""
    pages = connection.client("cloudformation").get_paginator("describe_stacks").paginate()
    try:
        stacks = [stack["StackName"] for page in pages for stack in page["Stacks"]]
    except ClientError:  # who may not list them is told what there is to tell
        return ""
    names = [name.removesuffix(DELIVERY) for name in stacks if name.endswith(DELIVERY) and part in name]
    return f"is it one of these? {', '.join(sorted(names)[:SUGGESTIONS])}" if names else ""


@click.command(epilog="Example:  mlops validate training.json")
@click.argument("file", type=click.File("rb"))
@click.option("--registry", is_flag=True, help="For a deployment that takes its models from the model registry.")
@click.pass_obj
def validate(connection: Connection, file: IO[bytes], registry: bool) -> None:
    """Check the request in FILE (- for stdin) as the API would, without an account.

    What only the account can tell (that a bucket or an image of your own exists) isn't looked at.
    """
    region = connection.session.region_name or "us-east-1"
    verdict = offline.check(without_comments(file.read()), region, registry=registry)
    if verdict.problems:
        raise Refused(400, {"message": verdict.message, "errors": verdict.problems})
    if show.wants_json():
        show.as_json(
            {
                "message": verdict.message,
                "name": verdict.name,
                "warnings": verdict.warnings,
                "parameters": verdict.parameters,
            }
        )
    else:
        show.success(verdict.message, {"type": verdict.pipeline_type})
        show.warnings(verdict.warnings)
