# SPDX-License-Identifier: Apache-2.0
"""To an account, AWS's or the laptop's: clients as boto3 makes them, and signed calls to the orchestrator's API.

Profile, region, endpoint and credentials are found in boto3's own ways (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL
and the rest); the command's options outrank them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.httpsession import URLLib3Session

from mlops.cli.failures import Document, Failure, Refused

STACK_NAME = "mlops-orchestrator"
AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".ic.gov", ".sgov.gov", ".adc-e.uk")
SUCCESS = (200, 202)
ANSWER_SECONDS = 35  # API Gateway gives up after 29


class Session(boto3.Session):  # type: ignore[misc]
    """A boto3 session that remembers the endpoint it was given."""

    def __init__(self, profile: str | None, region: str | None, endpoint_url: str | None) -> None:
        super().__init__(profile_name=profile, region_name=region or os.environ.get("AWS_REGION"))
        self.endpoint_url = endpoint_url

    def client(self, service_name: str, **options: Any) -> Any:
        config = Config(
            retries={"mode": "standard"},  # three tries: somebody is waiting
            s3={"addressing_style": "path"} if self.endpoint_url else None,  # other hosts don't know bucket.host
        )
        return super().client(service_name, **{"endpoint_url": self.endpoint_url, "config": config, **options})


@dataclass
class Connection:
    """What the global options say. Nothing is contacted before it is needed."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    stack_name: str = STACK_NAME
    given_api_url: str | None = None

    @cached_property
    def session(self) -> Any:
        return Session(self.profile, self.region, self.endpoint_url)

    def client(self, service: str) -> Any:
        return self.session.client(service)

    @cached_property
    def endpoint(self) -> str:
        """Where AWS's APIs are served: one of AWS's own hosts, or another's."""
        url: str = self.client("cloudformation").meta.endpoint_url
        return url

    @property
    def is_elsewhere(self) -> bool:
        """Whether this is another endpoint than AWS's, as the laptop's."""
        return not (urlsplit(self.endpoint).hostname or "").endswith(AWS_HOSTS)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """What the orchestrator's own stack answers: ApiUrl, AssetsBucketName and more."""
        try:
            [stack] = self.client("cloudformation").describe_stacks(StackName=self.stack_name)["Stacks"]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            hint = "install it (mlops install), or name its stack (--stack-name) or its API (--api-url)"
            message = f"There is no stack {self.stack_name} in this account and region ({self.endpoint})"
            raise Failure(message, hint) from error
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    @cached_property
    def api_url(self) -> str:
        """The stage of the orchestrator's API."""
        if self.given_api_url:
            return self.given_api_url.rstrip("/")
        if "ApiUrl" not in self.outputs:
            raise Failure(f"The stack {self.stack_name} has no output ApiUrl", "is it the orchestrator's?")
        return self.reachable(self.outputs["ApiUrl"])

    def reachable(self, url: str) -> str:
        """The URL of a stage of API Gateway, as it can be called from here: elsewhere than on AWS its host name
        leads nowhere, so the path names the API."""
        parts = urlsplit(url)
        if not self.is_elsewhere or not parts.netloc.endswith(AWS_HOSTS):
            return url.rstrip("/")
        api = parts.netloc.split(".")[0]
        return f"{self.endpoint.rstrip('/')}/_aws/execute-api/{api}/{parts.path.strip('/')}"

    def post(self, route: str, body: bytes) -> Document:
        """A signed POST to the API. Raises Refused for any answer but a 2xx."""
        return self.call("POST", route, body)

    def call(self, method: str, route: str, body: bytes = b"", **query: str) -> Document:
        """A signed request to the API; a query parameter without a value is left out. Raises Refused as `post`."""
        parameters = urlencode({name: value for name, value in query.items() if value})
        url = f"{self.api_url}/{quote(route)}" + (f"?{parameters}" if parameters else "")
        status, headers, text = self.signed(method, url, body)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"message": text.strip() or f"the API answered {status} and nothing else"}
        if status not in SUCCESS:
            raise Refused(status, answer, headers.get("Retry-After"))
        if not isinstance(answer, dict):
            raise Failure(f"The API answered {text.strip()!r}", "is the URL right?")
        return answer

    def signed(self, method: str, url: str, body: bytes) -> tuple[int, dict[str, str], str]:
        """A request to an API behind API Gateway's IAM authorisation (SigV4, service execute-api)."""
        credentials = self.session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"})
        region = self.session.region_name or self.client("cloudformation").meta.region_name
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
        response = URLLib3Session(timeout=ANSWER_SECONDS).send(request.prepare())
        return response.status_code, response.headers, response.text
