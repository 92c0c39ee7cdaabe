# SPDX-License-Identifier: Apache-2.0
"""Error messages: what happened, why, and what to do next. Never a traceback.

Failure                 exit code 1
├── UsageFailure        exit code 2: an invalid command line, with --json
├── NoSuchPipeline      no delivery stack of that name
├── ApiError            an error response of the API: its problems, each with path and hint
├── Interrupted         exit code 130: Ctrl-C
│   ├── StoppedWatching     the pipeline is still running
│   └── StoppedSending      the request was not accepted
└── PipelineFailed      the watched pipeline did not succeed
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import click
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    SSOError,
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
            self.show_text()

    def show_text(self) -> None:
        show.failure(self.message, [], self.hint)


class ApiError(Failure):
    """The API's response was not a success."""

    def __init__(self, status: int, answer: Document, retry_after: str | None = None) -> None:
        super().__init__(str(answer.get("message", f"The API responded with {status}")))
        self.status, self.answer = status, answer
        self.retry_after = float(retry_after) if retry_after and retry_after.isdecimal() else None
        if self.retry_after:
            self.hint = f"resend the request in {retry_after} s"

    def document(self) -> Document:
        return self.answer

    @property
    def problems(self) -> Sequence[Document]:
        problems: list[Document] = self.answer.get("errors", [])
        return problems

    def show_text(self) -> None:
        detail, request = self.answer.get("detail"), self.answer.get("request_id")
        problems = [*self.problems, {"problem": detail}] if detail else self.problems
        show.failure(self.message, problems, self.hint, f"request id {request}" if request else "")


class NoSuchPipeline(Failure):
    """No delivery stack has that name."""


class Interrupted(Failure):
    """Ctrl-C: the exit code that shells use for a command that SIGINT ended."""

    exit_code = 130


class StoppedWatching(Interrupted):
    """Ctrl-C while a pipeline was watched."""

    def __init__(self, pipeline: str) -> None:
        super().__init__(f"Stopped watching; {pipeline} is still running", f"watch it: mlops status {pipeline} --watch")


class StoppedSending(Interrupted):
    """Ctrl-C before a request was accepted; `last_error` is the last response to it."""

    def __init__(self, last_error: ApiError | None) -> None:
        if last_error:
            message = f"Stopped waiting; the request was not accepted. Still in progress: {last_error.message}"
            super().__init__(message, "resend the request later")
        else:
            super().__init__(
                "Interrupted while sending the request; it may have been accepted",
                "resend it: an accepted request does not start a second run",
            )


class PipelineFailed(Failure):
    """The watched pipeline did not succeed."""

    def __init__(self, document: Document) -> None:
        found = document["pipeline"]
        again = f"correct the request and resend it, or rerun the pipeline: mlops run {found['name']}"
        super().__init__(f"{found['name']} {'was stopped' if found['status'] == 'Stopped' else 'failed'}", again)
        self.reason, self.status_document = found.get("reason"), document

    def document(self) -> Document:
        return self.status_document

    def show_text(self) -> None:
        show.failure(self.message, [{"problem": self.reason}] if self.reason else [], self.hint)


class UsageFailure(Failure):
    """An invalid command line, with --json."""

    exit_code = 2

    def __init__(self, error: click.UsageError) -> None:
        usage = error.ctx.get_usage() if error.ctx else ""
        super().__init__(error.format_message(), usage)


def last_line(text: str) -> str:
    """The last line of a program's output, which is usually the error."""
    return (text.strip().splitlines() or ["it printed nothing"])[-1]


LAPTOP = 'for the laptop account: eval "$(mlops local env)"'
CREDENTIALS = f"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use --profile; {LAPTOP}"
WRONG_ENDPOINT = "check --endpoint-url, AWS_ENDPOINT_URL and the proxy settings (HTTPS_PROXY, NO_PROXY)"
WRONG_CREDENTIALS = {"InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException", "AuthFailure"}
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}


def failure_from_aws(error: BotoCoreError | ClientError) -> Failure:
    """A boto3 error as a message with a hint."""
    text = str(error)
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return Failure("No AWS credentials found", CREDENTIALS)
        case CredentialRetrievalError() | SSOError():
            return Failure(f"AWS credentials could not be loaded: {text}", "sign in again, for example: aws sso login")
        case NoRegionError():
            return Failure("No AWS Region is set", "set AWS_REGION or use --region, for example --region us-east-1")
        case ProfileNotFound():
            return Failure(text, "aws configure list-profiles lists the profiles of ~/.aws/config")
        case ProxyConnectionError():
            return Failure(text, "check HTTPS_PROXY and NO_PROXY")
        case SSLError():
            return Failure(text, "if a proxy inspects TLS, set AWS_CA_BUNDLE to a file with its CA certificate")
        case EndpointConnectionError() | ConnectTimeoutError() | ReadTimeoutError() | ConnectionClosedError():
            return Failure(text, unreachable(text))
        case ClientError():
            return failure_from_client_error(error)
        case _:
            return Failure(text)


def unreachable(text: str) -> str:
    if "//127.0.0.1" in text or "//localhost" in text:
        return "start the laptop account: mlops local up; list running accounts: mlops local status"
    return "check the network, --region and --endpoint-url"


def failure_from_client_error(error: ClientError) -> Failure:
    detail = error.response.get("Error", {})
    code, operation = str(detail.get("Code", "Unknown")), error.operation_name
    hint = ""
    if "scoped to a valid region" in str(detail.get("Message")):
        hint = "set the account's Region with --region or AWS_REGION"
    elif code in EXPIRED:
        hint = "the credentials have expired: sign in again, for example: aws sso login"
    elif code in WRONG_CREDENTIALS:
        hint = f"check the credentials, and that they belong to the account at this endpoint; {LAPTOP}"
    elif (code == "Unknown" or code.isdecimal()) and not operation.startswith("Head"):  # a HEAD response has no body
        hint = WRONG_ENDPOINT
    elif "AccessDenied" in code or "Unauthorized" in code:
        hint = f"the credentials lack the permission for {operation}"
    return Failure(f"{operation}: {detail.get('Message') or code} ({code})", hint)
