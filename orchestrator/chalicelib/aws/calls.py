# SPDX-License-Identifier: Apache-2.0
"""What all calls share: clients, and AWS's failures as ours.

boto3 is imported with the first call, so that a cold start is ready before it.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from chalicelib.errors import RETRY_AFTER, Unavailable
from chalicelib.garbage import suspended
from chalicelib.settings import Settings

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_stepfunctions import SFNClient

# IAM takes some seconds until it knows a new policy everywhere: a call that it denies right after a start, as right
# after the installation, is made again after these pauses.
PAUSES = (1, 2)
NEW = 60  # seconds

Service = Literal[
    "apigateway", "cloudformation", "codebuild", "codepipeline", "lambda", "s3", "sagemaker", "stepfunctions"
]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def translate_errors(call: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """AWS's failures as ours: whatever AWS refuses or cannot do now is Unavailable, with AWS's words as detail."""

    @functools.wraps(call)
    def translated(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            return call(*args, **kwargs)
        except ClientError as error:
            refused = "AccessDenied" in code(error)
            words = (
                "AWS denied access to a call of the orchestrator" if refused else "AWS could not process the request"
            )
            raise Unavailable(f"{words}. Resend the request.", retry_after=RETRY_AFTER, detail=str(error)) from error
        except ParamValidationError:
            raise  # a call that we made wrongly: sending the request again would not help
        except BotoCoreError as error:
            raise Unavailable(
                "AWS could not be reached. Resend the request.",
                retry_after=RETRY_AFTER,
                detail=str(error),
            ) from error

    return translated


class Calls:
    """The connection that the services' calls are made over."""

    def __init__(self, settings: Settings, attempts: int = 2) -> None:
        self.settings = settings
        self._attempts = attempts
        self._clients: dict[Service, Any] = {}
        self._new_until = time.monotonic() + NEW
        self._making = threading.Lock()  # boto3's default session is not for several threads at once

    @property
    def cloudformation(self) -> CloudFormationClient:
        client: CloudFormationClient = self.client("cloudformation")
        return client

    @property
    def codepipeline(self) -> CodePipelineClient:
        client: CodePipelineClient = self.client("codepipeline")
        return client

    @property
    def s3(self) -> S3Client:
        client: S3Client = self.client("s3")
        return client

    @property
    def sagemaker(self) -> SageMakerClient:
        client: SageMakerClient = self.client("sagemaker")
        return client

    @property
    def stepfunctions(self) -> SFNClient:
        client: SFNClient = self.client("stepfunctions")
        return client

    def client(self, service: Service) -> Any:
        """The client of a service, made at its first use; those with a property above are typed."""
        with self._making:
            if service not in self._clients:
                with suspended():
                    self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: Service) -> Any:
        import boto3
        from botocore.config import Config

        # All within the 29 seconds that API Gateway waits.
        config = Config(
            retries={"mode": "standard", "total_max_attempts": self._attempts}, connect_timeout=2, read_timeout=5
        )
        client = boto3.client(service, region_name=self.settings.aws_region, config=config)
        event = f"needs-retry.{client.meta.service_model.service_id.hyphenize()}"
        client.meta.events.register_first(event, self._pause)  # type: ignore[arg-type]  # handlers may answer
        return client

    def _pause(self, response: tuple[Any, Any] | None, attempts: int, **_: Any) -> int | None:
        """How long botocore waits before it makes a denied call again; None leaves that to its own rules."""
        if response is None or attempts > len(PAUSES) or time.monotonic() > self._new_until:
            return None
        http, parsed = response
        denied = http.status_code == 403 or "AccessDenied" in parsed.get("Error", {}).get("Code", "")
        return PAUSES[attempts - 1] if denied else None


def code(error: ClientError) -> str:
    """The code of a ClientError."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_no_such_stack(error: Any) -> bool:
    """Whether a ClientError says that there is no such stack, for which CloudFormation has words and no code."""
    return code(error) == "ValidationError" and "does not exist" in str(error)
