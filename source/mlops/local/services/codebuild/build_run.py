# SPDX-License-Identifier: Apache-2.0
"""The phases of a build, in a thread of its own, each with the project's role.

    SUBMITTED, QUEUED, PROVISIONING   the role may write the log; CodeBuild has the image
    DOWNLOAD_SOURCE                   the source is a zip, the buildspec is one
    the phase with `docker build`     the zip has a Dockerfile; then the build fails, because there is no Docker here

A build whose commands do not call Docker fails as well: its commands are not run on this machine.
"""

from __future__ import annotations

import contextlib
import logging
import time
import zipfile
from urllib.parse import quote

import boto3
from botocore.exceptions import ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.codebuild import buildspec, source
from mlops.local.services.codebuild.records import PRINCIPAL, Record, end, end_phase, now
from mlops.local.settings import TIMING

_log = logging.getLogger(__name__)
NO_DOCKER = "The laptop account has no Docker, so it cannot build images. The source and the buildspec are valid."
NO_COMMANDS = "The laptop account does not run the commands of builds."
# The images that CodeBuild maintains: https://docs.aws.amazon.com/codebuild/latest/userguide/ec2-compute-images.html
IMAGES = (
    "aws/codebuild/amazonlinux-x86_64-standard:5.0",
    "aws/codebuild/amazonlinux-x86_64-standard:6.0",
    "aws/codebuild/amazonlinux-aarch64-standard:3.0",
    "aws/codebuild/standard:7.0",
)


class _Failed(Exception):
    """Ends the current phase; with the code that CodeBuild has for such a failure."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Stopped(Exception):
    """Somebody stopped the build."""


def logs(project: Record, stream: str, caller: Caller) -> Record:
    """Where a build logs."""
    group = project.get("logsConfig", {}).get("cloudWatchLogs", {}).get("groupName") or (
        f"/aws/codebuild/{project['name']}"
    )
    place = f"{quote(group, safe='').replace('%', '$25')}/log-events/{stream}"
    console = f"https://console.aws.amazon.com/cloudwatch/home?region={caller.region}"
    return {"groupName": group, "streamName": stream, "deepLink": f"{console}#logsV2:log-groups/log-group/{place}"}


def stop(build: Record) -> None:
    """End a build where it is; its thread notices."""
    end_phase(build, "STOPPED")
    end(build, "STOPPED")


def run(build: Record, project: Record, caller: Caller) -> None:
    """Run a build to its end."""
    try:
        _run(build, project, caller)
    except _Stopped:
        return
    except _Failed as failure:
        code, message = failure.code, str(failure)
    except ApiError as error:  # the role is gone, or no longer for CodeBuild
        code, message = "ACCESS_DENIED", error.message
    except Exception as error:
        _log.exception("build %s failed", build["id"])
        code, message = "INTERNAL_SERVICE_ERROR", f"An internal error occurred in the laptop account: {error}"
    if not build["buildComplete"]:
        _tell(build, caller, f"Phase complete: {build['currentPhase']} State: FAILED", f"{code}: {message}")
        end_phase(build, "FAILED", code, message)
        end(build, "FAILED")


def _run(build: Record, project: Record, caller: Caller) -> None:
    session = identity.role_session(build["serviceRole"], PRINCIPAL, caller, project["arn"])
    _open_log(session, build)
    _enter(build, "QUEUED")
    _enter(build, "PROVISIONING")
    if build["environment"]["image"] not in IMAGES:
        known = ", ".join(IMAGES)
        message = f"CodeBuild does not maintain the image {build['environment']['image']}; it maintains {known}"
        raise _Failed("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", message)
    _enter(build, "DOWNLOAD_SOURCE")
    try:
        with source.opened(session, build["source"]["location"]) as archive:
            phases = _commands(build)
            phase = next((name for name, listed in phases.items() if any(map(_builds_image, listed))), None)
            if phase is None:
                _enter(build, next(iter(phases)))
                raise _Failed("COMMAND_EXECUTION_ERROR", NO_COMMANDS)
            _enter(build, phase)
            _build_image(build, archive)
    except source.Unusable as error:
        raise _Failed("CLIENT_ERROR", str(error)) from error


def _commands(build: Record) -> dict[str, list[str]]:
    try:
        return dict(buildspec.commands(build["source"].get("buildspec", "")))
    except buildspec.NotABuildspec as error:
        raise _Failed("YAML_FILE_ERROR", f"The buildspec is invalid: {error}") from error


def _builds_image(command: str) -> bool:
    return "docker build" in command


def _build_image(build: Record, archive: zipfile.ZipFile) -> None:
    if not build["environment"].get("privilegedMode"):
        raise _Failed("COMMAND_EXECUTION_ERROR", "Cannot connect to the Docker daemon: the project is not privileged.")
    raise _Failed("COMMAND_EXECUTION_ERROR", source.dockerfile_problem(archive, "Dockerfile") or NO_DOCKER)


def _enter(build: Record, phase: str) -> None:
    """End the current phase and begin the next, which is seen for a moment."""
    if build["buildComplete"]:
        raise _Stopped
    end_phase(build, "SUCCEEDED")
    build["phases"].append({"phaseType": phase, "startTime": now()})
    build["currentPhase"] = phase
    time.sleep(TIMING.poll)
    if build["buildComplete"]:
        raise _Stopped


def _open_log(session: boto3.Session, build: Record) -> None:
    client, where = session.client("logs"), build["logs"]
    try:
        with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
            if where["groupName"].startswith("/aws/codebuild/"):  # a group of the project's own is made beforehand
                client.create_log_group(logGroupName=where["groupName"])
        client.create_log_stream(logGroupName=where["groupName"], logStreamName=where["streamName"])
    except ClientError as error:
        words = "Service role does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams"
        raise _Failed("ACCESS_DENIED", f"{words} for the build. {error}") from error


def _tell(build: Record, caller: Caller, *lines: str) -> None:
    """Write to the build's log, as far as its role may."""
    where = build["logs"]
    try:
        client = identity.role_session(build["serviceRole"], PRINCIPAL, caller).client("logs")
        moment = int(time.time() * 1000)
        client.put_log_events(
            logGroupName=where["groupName"],
            logStreamName=where["streamName"],
            logEvents=[{"timestamp": moment, "message": line} for line in lines],
        )
    except (ClientError, ApiError) as error:
        _log.warning("no log %s in %s: %s", where["streamName"], where["groupName"], error)
