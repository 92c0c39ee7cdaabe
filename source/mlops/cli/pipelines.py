# SPDX-License-Identifier: Apache-2.0
"""mlops provision, status, run, validate."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import IO, TYPE_CHECKING

import click
from botocore.exceptions import BotoCoreError, ClientError
from chalicelib import names
from chalicelib.aws.calls import is_no_such_stack
from chalicelib.planning.plan import OWNER_TAG

from mlops.cli import deployed, naming, offline, show, view, watching
from mlops.cli.connection import Connection
from mlops.cli.failures import ApiError, Document, Failure, NoSuchPipeline, PipelineFailed
from mlops.cli.request_file import filled, without_comments

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

SUGGESTIONS = 5
watch_option = click.option("--watch", is_flag=True, help="Watch the pipeline until it ends.")


@click.command(epilog="Example:  mlops provision training.json --watch")
@click.argument("file", type=click.File("rb"))
@click.option("--rerun", is_flag=True, help="Rerun the pipeline even if the request has not changed.")
@watch_option
@click.option(
    "--timeout",
    type=click.IntRange(0),
    default=watching.TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="With --watch: how long to retry while the API responds with Retry-After.",
)
@click.pass_obj
def provision(connection: Connection, file: IO[bytes], rerun: bool, watch: bool, timeout: int) -> None:
    """Create or update a pipeline by sending its request.

    Also sends model-card operations, such as create_model_card.

    FILE (- for stdin) contains the request as JSON. Lines that begin with // are comments and are removed.
    ${AssetsBucketName} is replaced by that output of the main stack. If the same request was already provisioned,
    nothing changes and nothing runs; use --rerun to run the pipeline.
    """
    body = filled(without_comments(file.read()), lambda: connection.outputs)
    body = with_rerun(body) if rerun else body
    answer = watching.send_until_accepted(connection, body, timeout if watch else None)
    if "pipeline_id" not in answer:
        show_operation(answer)
        return
    name = answer.get("name") or answer["pipeline_id"]
    if not show.wants_json():
        found = answer.get("resolved", {}).items()
        models = {field: one.get("artifact") or one["model_package"] for field, one in found}
        show.success(answer["message"], {"pipeline": name, "id": answer["pipeline_id"], **models})
        show.warnings(answer.get("warnings", []))
    if watch:
        watch_to_the_end(connection, name, answer.get("execution_id"), answer)
    elif show.wants_json():
        show.as_json(answer)
    else:
        show.err().print(f"  watch it: mlops status {name} --watch")


def show_operation(answer: Document) -> None:
    """Print what an operation returned: it is done, and there is no pipeline to watch."""
    if isinstance(message := answer["message"], str) and not show.wants_json():
        show.success(message)
    else:
        show.as_json(answer if show.wants_json() else message)
    if not show.wants_json():
        show.warnings(answer.get("warnings", []))


def watch_to_the_end(connection: Connection, name: str, execution: str | None, answer: Document) -> None:
    """Watch a pipeline and print the result; with --json, the response and the status document as `status`."""
    try:
        status = watching.follow(connection, name, execution)
    except PipelineFailed as failed:
        failed.status_document = {**answer, "status": failed.status_document}
        raise
    if show.wants_json():
        show.as_json({**answer, "status": status})
    else:
        show_result(status)


def show_result(status: Document) -> None:
    found = status["pipeline"]
    show.success(f"{found['name']} {show.spaced(found['status'])}")
    if job := found.get("job"):
        for line in view.job_block(job):
            show.out().print(line)
    show.facts(found.get("outputs") or {})


def with_rerun(body: bytes) -> bytes:
    """The request with "rerun": true.

    The rest of the text is unchanged (1.10 isn't 1.1). If it is not a JSON object, it is sent unchanged, so that the
    API returns the error.
    """
    try:
        request = json.loads(body)
    except ValueError:
        return body
    if not isinstance(request, dict) or not request or "rerun" in request:
        return body
    return body.replace(b"{", b'{"rerun": true, ', 1)


@click.command(epilog="Example:  mlops status mlops-pipeline-churn-modeltraining --watch")
@click.argument("name_or_id", shell_complete=naming.complete)
@watch_option
@click.pass_obj
def status(connection: Connection, name_or_id: str, watch: bool) -> None:
    """Show a pipeline's status, outputs and failure reason.

    NAME_OR_ID is the pipeline's name, or the pipeline_id that `mlops provision` printed. The exit code is 0 even if
    the pipeline failed, except with --watch.
    """
    try:
        ask = watching.follow if watch else watching.status_of
        document = naming.with_full_name(connection, name_or_id, lambda name: ask(connection, name))
    except ApiError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            error.hint = similar_names_hint(connection, name_or_id) or region_hint(connection)
        raise
    if show.wants_json():
        show.as_json(document)
    elif watch:
        show_result(document)
    else:
        for line in view.pipeline(document):
            show.out().print(line)
        show.facts(document["pipeline"].get("outputs") or {})


@click.command(epilog="Example:  mlops run mlops-pipeline-churn-modeltraining --watch")
@naming.argument
@watch_option
@click.pass_obj
def run(connection: Connection, name: str, watch: bool) -> None:
    """Rerun a pipeline with its last request."""
    name, pipeline = naming.with_full_name(connection, name, lambda name: (name, delivery_pipeline(connection, name)))
    started = connection.session.client("codepipeline").start_pipeline_execution(name=pipeline)
    execution = started["pipelineExecutionId"]
    document = {"name": name, "pipeline": pipeline, "execution_id": execution}
    if not show.wants_json():
        show.success(f"Started a run of {name}", {"execution": execution})
    if watch:
        watch_to_the_end(connection, name, execution, document)
    elif show.wants_json():
        show.as_json(document)


def delivery_pipeline(connection: Connection, name: str) -> str:
    """The delivery pipeline's name in CodePipeline, which is an output of the delivery stack."""
    whole = name.startswith("arn:") or names.is_delivery_stack(name)
    described = (_stack(connection, stack) for stack in ([name] if whole else [names.delivery_stack(name), name]))
    found = next((stack for stack in described if stack and (whole or _holds_pipeline(stack))), None)
    if found is None:
        hint = similar_names_hint(connection, name) or "create it: mlops provision FILE"
        raise NoSuchPipeline(f"No pipeline {name!r} in Region {connection.region_name}", hint)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    if names.PIPELINE_OUTPUT not in outputs:
        raise Failure(
            f"{name} is {found['StackStatus']} and has no pipeline yet", f"see its status: mlops status {name}"
        )
    return str(outputs[names.PIPELINE_OUTPUT])


def _stack(connection: Connection, name: str) -> StackTypeDef | None:
    try:
        return connection.session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if not is_no_such_stack(error):
            raise
        return None


def _holds_pipeline(stack: StackTypeDef) -> bool:
    """Whether it is a delivery stack: by its name, or by the tag that only delivery stacks have."""
    return names.is_delivery_stack(stack["StackName"]) or any(tag["Key"] == OWNER_TAG for tag in stack.get("Tags", []))


def similar_names_hint(connection: Connection, part: str) -> str:
    """The pipelines with `part` in their names, as a hint. A pipeline's name contains its model's name."""
    pages = connection.session.client("cloudformation").get_paginator("describe_stacks").paginate()
    try:
        stacks = [stack["StackName"] for page in pages for stack in page["Stacks"] if _holds_pipeline(stack)]
    except (ClientError, BotoCoreError):  # the hint is optional
        return ""
    found = [names.of_delivery_stack(stack) for stack in stacks if part in stack]
    return f"did you mean one of these? {', '.join(sorted(found)[:SUGGESTIONS])}" if found else ""


def region_hint(connection: Connection) -> str:
    return f"to list the pipelines in {connection.region_name}: mlops list; to use another Region: --region"


@click.command(epilog="Example:  mlops validate training.json")
@click.argument("file", type=click.File("rb"))
@click.option("--registry", is_flag=True, help="Check for a deployment that uses the model registry.")
@click.option("--offline", "alone", is_flag=True, help="Do not contact the account.")
@click.pass_obj
def validate(connection: Connection, file: IO[bytes], registry: bool, alone: bool) -> None:
    """Check a request without sending it.

    FILE (- for stdin) is checked in the same way as by the API. If a deployment is reachable, its settings are used,
    for example the allowed buckets and images. Whether objects and images exist is not checked. Preconditions, for
    example that a model package is approved, are listed; the API checks them.

    With --json, the output contains the template parameters. Without a deployment, its values are placeholders such as
    <assets-bucket>.
    """
    body = without_comments(file.read())
    settings, reason = None, "--offline was used"
    if not alone:
        try:
            settings = deployed.settings(connection)
        except deployed.Unreachable as error:
            reason = str(error)
    region = connection.session.region_name or "us-east-1"
    body = filled(body, lambda: connection.outputs if settings else offline.OUTPUTS)
    verdict = offline.check(body, region, settings, registry=registry)
    if verdict.problems:
        raise ApiError(400, {"message": verdict.message, "errors": verdict.problems})
    checked = {"checked_for": connection.stack_name, "region": region} if settings else {"not_checked_for": reason}
    if show.wants_json():
        document = {"message": verdict.message, "name": verdict.name, "pipeline_type": verdict.pipeline_type}
        found = {"warnings": verdict.warnings, "preconditions": verdict.preconditions, "parameters": verdict.parameters}
        show.as_json({**document, **found, **checked})
        return
    show.success(verdict.message, {"type": verdict.pipeline_type})
    show.warnings(verdict.warnings)
    for one in verdict.preconditions:
        text = f"  checked when the request is sent: {one['description']} ({one['resource']})"
        show.err().print(text, markup=False, style="dim")
    if not settings and not alone:
        show.err().print(f"  checked without a deployment: {reason}", markup=False, style="dim")
