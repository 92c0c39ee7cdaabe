# SPDX-License-Identifier: Apache-2.0
"""What every action provider is made of, and what a running action has at hand."""

from __future__ import annotations

import io
import secrets
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from mlops.local.kit.errors import Caller
from mlops.local.services.codepipeline.records import Record, executions, now, show_action
from mlops.local.settings import TIMING

Answer = TypeVar("Answer")


class ActionFailed(Exception):
    """Fails the action; `code` and the message are its errorDetails."""

    def __init__(self, message: str, code: str = "JobFailed") -> None:
        super().__init__(message)
        self.code = code


class Abandoned(Exception):
    """Somebody stopped the execution and doesn't wait for its actions."""


@dataclass(frozen=True)
class ActionType:
    """A provider: the configuration it takes, how many artifacts, and how it runs."""

    run: Callable[[Run], None]
    keys: frozenset[str]
    required: frozenset[str] = frozenset()
    inputs: tuple[int, int] = (0, 0)
    outputs: tuple[int, int] = (0, 0)
    check: Callable[[dict[str, str]], list[str]] = lambda configuration: []


@dataclass
class Run:
    """One run of one action: its resolved configuration, its credentials, its artifacts."""

    execution: Record
    action: Record  # its ActionExecutionDetail
    configuration: dict[str, str]
    session: boto3.Session
    caller: Caller
    input_names: list[str]
    output_names: list[str]
    artifact_store: dict[str, Any]
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def action_execution_id(self) -> str:
        return str(self.action["actionExecutionId"])

    def show(self, **result: str | None) -> None:
        """Let the API show more of the run: externalExecutionId, externalExecutionSummary, …Url."""
        given = {name: value for name, value in result.items() if value}
        self.action["output"].setdefault("executionResult", {}).update(given)
        self.action["lastUpdateTime"] = now()
        show_action(self.execution, self.action)

    def wait_until(self, question: Callable[[], Answer | None]) -> Answer:
        """Ask until there is an answer, or nobody waits for it any more."""
        while True:
            if self.execution.get("abandoned") or self.execution["pipelineExecutionId"] not in executions:
                raise Abandoned
            answer = question()
            if answer is not None:
                return answer
            time.sleep(TIMING.poll)

    # --- artifacts: zip files in the pipeline's bucket ---

    def write_artifact(self, name: str, content: bytes) -> None:
        location = self.store(name, content)
        self.execution["artifacts"][name] = location
        self.action["output"].setdefault("outputArtifacts", []).append({"name": name, "s3location": location})

    def store(self, name: str, content: bytes) -> dict[str, str]:
        """Write an object to the pipeline's bucket; returns its `bucket` and `key`."""
        location = {
            "bucket": self.artifact_store["location"],
            "key": f"{self.execution['pipelineName'][:20]}/{name[:10]}/{secrets.token_hex(4)[:7]}",
        }
        arguments = {"Bucket": location["bucket"], "Key": location["key"], "Body": content}
        if key := self.artifact_store.get("encryptionKey"):
            arguments.update(ServerSideEncryption="aws:kms", SSEKMSKeyId=key["id"])
        self.session.client("s3").put_object(**arguments)
        return location

    def read_file(self, reference: str) -> str:
        """The text of `Artifact::path/in/artifact`."""
        name, _, path = reference.partition("::")
        if name not in self.input_names or not path:
            raise ActionFailed(
                f"{reference} does not name a file in one of the action's input artifacts, "
                f"which are {', '.join(self.input_names) or 'none'}",
                "ConfigurationError",
            )
        location = self.execution["artifacts"][name]
        body = self.session.client("s3").get_object(Bucket=location["bucket"], Key=location["key"])["Body"].read()
        try:
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                return archive.read(path).decode()
        except zipfile.BadZipFile as error:
            raise ActionFailed(f"The artifact {name} is not a zip file", "ConfigurationError") from error
        except KeyError as error:
            raise ActionFailed(f"File [{path}] does not exist in artifact [{name}]", "ConfigurationError") from error


def explain(error: ClientError | BotoCoreError) -> ActionFailed:
    """A refused AWS call as the failure of an action."""
    if not isinstance(error, ClientError):
        return ActionFailed(str(error))
    answer = error.response["Error"]
    code = answer.get("Code", "")
    denied = code.startswith("AccessDenied") or code == "403"
    return ActionFailed(answer.get("Message") or str(error), "PermissionError" if denied else "JobFailed")
