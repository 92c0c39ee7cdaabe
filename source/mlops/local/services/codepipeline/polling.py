# SPDX-License-Identifier: Apache-2.0
"""Looking for changes of S3 sources, for pipelines that don't say `PollForSourceChanges: false`.

A pipeline with such a source has a thread, for as long as its declaration stays as it is.
"""

from __future__ import annotations

import logging
import time

from botocore.exceptions import ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.codepipeline import engine
from mlops.local.services.codepipeline.records import SERVICE, Record, pipelines, store
from mlops.local.settings import TIMING

_log = logging.getLogger(__name__)


def watch(name: str, caller: Caller) -> None:
    """Poll a pipeline's sources from now on, as its declaration says; called again when that has changed."""
    if _polled(pipelines[name]["declaration"]):
        identity.spawn(_watch, name, pipelines[name]["updated"], caller)


@store.on_load
def _watch_again() -> None:
    for name in pipelines:
        watch(name, identity.current_caller())


def _watch(name: str, updated: object, caller: Caller) -> None:
    seen: dict[str, str | None] | None = None
    while (pipeline := pipelines.get(name)) is not None and pipeline["updated"] == updated:
        declaration = pipeline["declaration"]
        role_arn = declaration["roleArn"]
        found = {one["name"]: _version(role_arn, one["configuration"], caller) for one in _polled(declaration)}
        if seen is not None and any(version and version != seen.get(action) for action, version in found.items()):
            variables = {one["name"]: one.get("defaultValue", "") for one in declaration.get("variables", [])}
            engine.start(pipeline, "PollForSourceChanges", caller, variables=variables)
        seen = found
        time.sleep(TIMING.source_polling)


def _polled(declaration: Record) -> list[Record]:
    """The source actions that poll."""
    return [
        action
        for action in declaration["stages"][0]["actions"]
        if action["actionTypeId"]["provider"] == "S3"
        and action["configuration"].get("PollForSourceChanges", "true") == "true"
    ]


def _version(role_arn: str, configuration: dict[str, str], caller: Caller) -> str | None:
    try:
        s3 = identity.role_session(role_arn, SERVICE, caller).client("s3")
        found = s3.head_object(Bucket=configuration["S3Bucket"], Key=configuration["S3ObjectKey"])
    except (ClientError, ApiError) as error:
        _log.debug("cannot read %s: %s", configuration, error)  # the source action will say so in its run
        return None
    version: str | None = found.get("VersionId")
    return version
