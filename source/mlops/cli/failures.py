# SPDX-License-Identifier: Apache-2.0
"""What went wrong, told to a person: the problem, and what to do next. Never a traceback.

Failure                 exit code 1
├── Refused             the API's answer wasn't 200: its problems, each with path and hint
├── StoppedWatching     exit code 130: Ctrl-C, which ends the watching and not the pipeline
└── PipelineFailed      the pipeline that was watched didn't succeed
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import click
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

from mlops.cli import show

Document = dict[str, Any]


class Failure(click.ClickException):
    """Ends the command with exit code 1."""

    as_json = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def document(self) -> Document:
        return {"message": self.message, **({"hint": self.hint} if self.hint else {})}

    def show(self, file: IO[Any] | None = None) -> None:
        if self.as_json:
            show.as_json(self.document())
        else:
            self.tell()

    def tell(self) -> None:
        show.failure(self.message, [], self.hint)


class Refused(Failure):
    """The API said no."""

    def __init__(self, status: int, answer: Document, retry_after: str | None = None) -> None:
        super().__init__(str(answer.get("message", f"the API answered {status}")))
        self.status, self.answer = status, answer
        if retry_after:
            self.hint = f"try again in {retry_after} seconds"

    def document(self) -> Document:
        return self.answer

    @property
    def problems(self) -> Sequence[Document]:
        problems: list[Document] = self.answer.get("errors", [])
        return problems

    def tell(self) -> None:
        detail, request = self.answer.get("detail"), self.answer.get("request_id")
        problems = [*self.problems, {"problem": detail}] if detail else self.problems
        show.failure(self.message, problems, self.hint, f"request id {request}" if request else "")


class StoppedWatching(Failure):
    """Ctrl-C while a pipeline was watched: the command ends, the pipeline doesn't."""

    exit_code = 130  # as shells have it for a command that SIGINT ended

    def __init__(self, pipeline: str) -> None:
        super().__init__(f"Not watched any more; {pipeline} goes on", f"follow it: mlops status {pipeline} --watch")


class PipelineFailed(Failure):
    """Watched to its end, and the end wasn't good. Why has been shown by then, as a part of its status."""

    def __init__(self, document: Document) -> None:
        name, status = document["pipeline"]["name"], document["pipeline"]["status"]
        again = f"correct the request and provision it again, or run the same once more: mlops run {name}"
        super().__init__(f"{name} {'was stopped' if status == 'Stopped' else 'has failed'}", again)
        self.status_document = document

    def document(self) -> Document:
        return self.status_document


def last_line(text: str) -> str:
    """Where a program says what it died of."""
    return (text.strip().splitlines() or ["it ended without a word"])[-1]


def of_aws(error: BotoCoreError | ClientError) -> Failure:
    """An error of boto3 as something a person can act on."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a --profile; "
            return Failure("There are no AWS credentials", hint + "for the laptop account: mlops local up")
        case NoRegionError():
            return Failure("No region is set", "set AWS_REGION, or give --region us-east-1")
        case ProfileNotFound():
            return Failure(f"{error}", "the profiles are in ~/.aws/config")
        case EndpointConnectionError():
            return Failure(f"{error}", "is it up? The laptop account starts with: mlops local up")
        case ClientError():
            detail = error.response.get("Error", {})
            code, operation = detail.get("Code", "Unknown"), error.operation_name
            hint = "these credentials may not do that" if "AccessDenied" in code or "Unauthorized" in code else ""
            if code in ("InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "UnrecognizedClientException"):
                hint = "check the credentials, and that they belong to the account at this endpoint"
            return Failure(f"{operation}: {detail.get('Message') or code} ({code})", hint)
        case _:
            return Failure(f"{error}")
