# SPDX-License-Identifier: Apache-2.0
"""The demo in an AWS account, and checks of guarantees that require one (docs/guarantees.md).

Each check calls AWS directly instead of relying on the orchestrator's responses.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from chalicelib import names

from mlops.cli import show, watching
from mlops.cli.connection import Connection
from mlops.cli.failures import Document, Failure, PipelineFailed
from mlops.demo import story
from mlops.demo.story import ENDPOINT, DemoResult, note, step

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import WaiterConfigTypeDef

COSTS = """\
This runs a training job for some minutes on a spot ml.m5.large, and an endpoint on an ml.m5.large until its stack is
deleted: about 0.12 USD per hour in us-east-1. Pipelines, logs, keys and storage add small costs."""
FALLBACK = (
    "if CodePipeline does not accept the ARN of a version, use #{DeployVariables.StateMachineArn} in "
    "blueprints/delivery/single.yaml and reinstall; see docs/guarantees.md for the consequences"
)
PIPELINES = ("mlops-pipeline-breast-cancer-byompipelinerealtimebuiltin", "mlops-pipeline-breast-cancer-modeltraining")


def run(connection: Connection, yes: bool, clean_up: bool) -> None:
    """Run the demo and check the guarantees. Raises Failure for the first failed check."""
    place = whereabouts(connection)
    click.echo(f"In {place}:\n{COSTS}")
    if not clean_up:
        click.echo("Without --clean-up, the endpoint runs and is charged until you delete its stack.")
    if not yes:
        click.confirm("Continue?", abort=True)
    try:
        result = story.run(connection, lambda training: note(f"checked: {the_version_was_run(connection, training)}"))
        for number, check in enumerate(CHECKS, 5):
            step(number, "Check a guarantee", check.__doc__ or "")
            note(check(connection, result))
        story.epilogue(result, place, connection.outputs["AssetsBucketName"])
        click.echo("\nCheck the inbox of NotificationEmail: it contains a message for each pipeline that ended.")
    except PipelineFailed as failed:
        the_version_was_run(connection, failed.document())  # raises a more specific error if this is the cause
        raise
    finally:
        if clean_up:
            delete(connection)


def the_version_was_run(connection: Connection, status: Document) -> str:
    """CodePipeline started the version of the state machine that had just been deployed.

    Whether its action accepts the ARN of a version is not documented, so this is checked first and separately.
    """
    listed = connection.session.client("codepipeline").list_action_executions(pipelineName=status["pipelineName"])
    runs = [one for one in listed["actionExecutionDetails"] if one["actionName"] == names.RUN_ACTION]
    if not runs:
        return "the pipeline has not run its state machine"
    version = str(runs[0]["input"]["resolvedConfiguration"]["StateMachineArn"])
    result = runs[0].get("output", {}).get("executionResult", {})
    if "externalExecutionId" not in result:
        reason = result.get("errorDetails", {}).get("message") or result.get(
            "externalExecutionSummary", "no reason given"
        )
        raise Failure(f"CodePipeline did not start {version}: {reason}", FALLBACK)
    execution = connection.session.client("stepfunctions").describe_execution(
        executionArn=result["externalExecutionId"]
    )
    # The laptop account does not return the version.
    ran = execution.get("stateMachineVersionArn", version)
    require(ran == version, f"CodePipeline started {ran} instead of {version}")
    return f"{version} was run"


def whereabouts(connection: Connection) -> str:
    identity = connection.session.client("sts").get_caller_identity()
    return f"account {identity['Account']}, {connection.session.region_name}, as {identity['Arn']}"


def unsigned_calls_are_refused(connection: Connection, result: DemoResult) -> str:
    """An unsigned call is a 403."""
    request = urllib.request.Request(f"{connection.api_url}/provisionpipeline", data=b"{}", method="POST")  # noqa: S310
    try:
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 (the URL is the stack's own output)
    except urllib.error.HTTPError as refused:
        require(refused.code == 403, f"The response to an unsigned call was {refused.code}, not 403")
        return "403"
    raise Failure("An unsigned call was accepted")


def a_repeat_changes_nothing(connection: Connection, result: DemoResult) -> str:
    """Resending a request writes nothing and starts nothing."""
    before = left_behind(connection, result.training)
    answer = connection.post("provisionpipeline", story.request("training"))
    require(left_behind(connection, result.training) == before, "Resending the request wrote or started something")
    return str(answer["message"])


def a_failed_update_is_rolled_back(connection: Connection, result: DemoResult) -> str:
    """An update that fails is rolled back, and the endpoint keeps its configuration."""
    before = serving(connection)
    broken = json.loads(result.serving_request) | {"model_artifact_location": "demo/no-such-model.tar.gz"}
    del broken["model_from"]
    answer = connection.post("provisionpipeline", json.dumps(broken).encode())
    try:
        watching.follow(connection, answer["pipeline_id"], answer.get("execution_id"))
    except PipelineFailed as failed:
        pipeline = failed.document()["pipeline"]
    else:
        raise Failure("A model that does not exist was deployed")
    status = pipeline["stack"]["status"]
    require(status == "UPDATE_ROLLBACK_COMPLETE", f"The stack is {status}")
    require("no-such-model" in (pipeline["reason"] or ""), f"The reason does not name the model: {pipeline['reason']}")
    require(serving(connection) == before, "The endpoint does not have its previous configuration")
    story.provision(connection, result.serving_request)
    require(serving(connection)[0] == "InService", "The endpoint is not in service after the correct request")
    return f"rolled back: {pipeline['reason']}"


CHECKS: tuple[Callable[[Connection, DemoResult], str], ...] = (
    unsigned_calls_are_refused,
    a_repeat_changes_nothing,
    a_failed_update_is_rolled_back,
)


def left_behind(connection: Connection, document: Document) -> tuple[list[str], list[str]]:
    """The versions of a pipeline's bundle and its runs, to which a request could add."""
    key = names.bundle_key(document["pipeline"]["name"])
    bucket = connection.outputs["BundleBucketName"]
    listed = connection.session.client("s3").list_object_versions(Bucket=bucket, Prefix=key)
    runs = connection.session.client("codepipeline").list_pipeline_executions(pipelineName=document["pipelineName"])
    return (
        [version["VersionId"] for version in listed["Versions"]],
        [one["pipelineExecutionId"] for one in runs["pipelineExecutionSummaries"]],
    )


def serving(connection: Connection) -> tuple[str, str]:
    """The endpoint's status and configuration."""
    found = connection.session.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)
    return found["EndpointStatus"], found["EndpointConfigName"]


def require(kept: bool, otherwise: str) -> None:
    if not kept:
        raise Failure(otherwise)


def delete(connection: Connection) -> None:
    """Delete the deployed stacks, then the delivery stacks. The data in the assets bucket are kept."""
    cloudformation = connection.session.client("cloudformation")
    waiter = cloudformation.get_waiter("stack_delete_complete")
    pause: WaiterConfigTypeDef = (
        {"Delay": 1, "MaxAttempts": 300} if connection.is_custom_endpoint else {"Delay": 15, "MaxAttempts": 80}
    )
    with show.progress("deleting the pipelines") as progress:
        for stacks in (PIPELINES, [names.delivery_stack(name) for name in PIPELINES]):
            for stack in stacks:
                cloudformation.delete_stack(StackName=stack)
            for stack in stacks:
                progress(f"deleting {stack}")
                waiter.wait(StackName=stack, WaiterConfig=pause)
    click.echo(
        "Deleted both pipelines and the resources they deployed. The assets bucket keeps the data and the model."
    )
