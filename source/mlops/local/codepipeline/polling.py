# SPDX-License-Identifier: Apache-2.0
"""Looking for changes of S3 sources, for pipelines that don't say `PollForSourceChanges: false`.

Each pipeline has a thread that lives as long as it does; where no source polls, it has nothing to look at.
"""

from __future__ import annotations

import logging
import time

from botocore.exceptions import ClientError

from mlops.local import identity
from mlops.local.codepipeline import engine
from mlops.local.codepipeline.records import SERVICE, Record, pipelines, store
from mlops.local.errors import ApiError, Caller
from mlops.local.settings import TIMING

_log = logging.getLogger(__name__)


def watch(name: str, caller: Caller) -> None:
    """Poll a pipeline's sources from now on, as its declaration then says."""
    identity.spawn(_watch, name, pipelines[name]["created"], caller)


@store.on_load
def _watch_again() -> None:
    for name in pipelines:
        watch(name, identity.current_caller())


def _watch(name: str, created: object, caller: Caller) -> None:
    seen: dict[str, str | None] | None = None
    while (pipeline := pipelines.get(name)) is not None and pipeline["created"] == created:
        found = _versions(pipeline["declaration"], caller)
        if seen is not None and any(version and version != seen.get(action) for action, version in found.items()):
            variables = {one["name"]: one.get("defaultValue", "")
                         for one in pipeline["declaration"].get("variables", [])}
            engine.start(pipeline, "PollForSourceChanges", caller, variables=variables)
        seen = found
        time.sleep(TIMING.source_polling)


def _versions(declaration: Record, caller: Caller) -> dict[str, str | None]:
    """The current version of each polled source's object; None where it cannot be read."""
    polled = [action for action in declaration["stages"][0]["actions"]
              if action["actionTypeId"]["provider"] == "S3"
              and action["configuration"].get("PollForSourceChanges", "true") == "true"]
    return {action["name"]: _version(declaration["roleArn"], action["configuration"], caller) for action in polled}


def _version(role_arn: str, configuration: dict[str, str], caller: Caller) -> str | None:
    try:
        s3 = identity.role_session(role_arn, SERVICE, caller).client("s3")
        found = s3.head_object(Bucket=configuration["S3Bucket"], Key=configuration["S3ObjectKey"])
    except (ClientError, ApiError) as error:
        _log.debug("cannot look at %s: %s", configuration, error)  # the source action will say so in its run
        return None
    version: str | None = found.get("VersionId")
    return version
