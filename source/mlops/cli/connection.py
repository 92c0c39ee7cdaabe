# SPDX-License-Identifier: Apache-2.0
"""Connections to an AWS account or the laptop account: boto3 clients, and signed calls to the orchestrator's API.

boto3 resolves profile, region, endpoint and credentials (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and others); the
command's options take precedence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import boto3
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from chalicelib.aws.calls import is_no_such_stack
from chalicelib.settings import REQUEST_SECONDS

from mlops import process
from mlops.cli import responses
from mlops.cli.failures import Document, Failure
from mlops.defaults import STACK_NAME

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".ic.gov", ".sgov.gov", ".adc-e.uk")
ANSWER_SECONDS = REQUEST_SECONDS + 6  # longer than API Gateway waits


class _Core(botocore.session.Session):
    """The botocore session below it."""

    def __init__(self, profile: str | None, endpoint_url: str | None) -> None:
        super().__init__(profile=profile)
        self._endpoint_url = endpoint_url
        config = Config(
            retries={"mode": "standard"},  # at most three attempts, because the user is waiting
            s3={"addressing_style": "path"} if endpoint_url else None,  # other hosts don't resolve bucket.host
        )
        self.set_default_client_config(config)

    def create_client(self, service_name: str, *arguments: Any, **options: Any) -> Any:
        options["endpoint_url"] = options.get("endpoint_url") or self._endpoint_url
        return super().create_client(service_name, *arguments, **options)


class Session(boto3.Session):
    """A boto3 session whose clients use the endpoint that it was given."""

    def __init__(self, profile: str | None, region: str | None, endpoint_url: str | None) -> None:
        self.core = _Core(profile, endpoint_url)
        super().__init__(botocore_session=self.core, region_name=region or os.environ.get("AWS_REGION"))
        process.bypass_proxies()

    @property
    def verify(self) -> bool | str:
        """The CA certificates that verify TLS, the same as in botocore's own calls."""
        return self.core.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True


_STAGE_URL = re.compile(r"https://[a-z0-9]+\.execute-api\.[^/\s]+/\S*")


@dataclass
class Connection:
    """The global options. Connections are opened when needed."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    stack_name: str = STACK_NAME
    given_api_url: str | None = None

    @cached_property
    def session(self) -> Session:
        return Session(self.profile, self.region, self.endpoint_url)

    @cached_property
    def endpoint(self) -> str:
        """The endpoint URL of CloudFormation."""
        return self.session.client("cloudformation").meta.endpoint_url

    @property
    def is_custom_endpoint(self) -> bool:
        """Whether the endpoint is not AWS's, for example the laptop account's."""
        return not (urlsplit(self.endpoint).hostname or "").endswith(AWS_HOSTS)

    @property
    def region_name(self) -> str:
        """The Region in use; raises NoRegionError if none is set."""
        if not self.session.region_name:
            raise NoRegionError
        return str(self.session.region_name)

    @property
    def credentials(self) -> Credentials:
        """The credentials in use; raises NoCredentialsError where none are found."""
        found = self.session.get_credentials()
        if found is None:
            raise NoCredentialsError
        return found

    @cached_property
    def stack(self) -> StackTypeDef:
        """The main stack, as CloudFormation describes it."""
        try:
            [stack] = self.session.client("cloudformation").describe_stacks(StackName=self.stack_name)["Stacks"]
        except ClientError as error:
            if not is_no_such_stack(error):
                raise
            at = f" at {self.endpoint}" if self.is_custom_endpoint else ""
            raise Failure(
                f"No stack {self.stack_name} in Region {self.region_name}{at}",
                "use another Region (--region, AWS_REGION) or another stack (--stack-name), "
                "or install the orchestrator: mlops install",
            ) from error
        return stack

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs of the main stack: ApiUrl, AssetsBucketName and more."""
        return {output["OutputKey"]: output["OutputValue"] for output in self.stack.get("Outputs", [])}

    @cached_property
    def api_url(self) -> str:
        """The URL of the orchestrator's API."""
        if self.given_api_url:
            return self.given_api_url.rstrip("/")
        if "ApiUrl" not in self.outputs:
            raise self.has_no_api()
        return self.reachable(self.outputs["ApiUrl"])

    def has_no_api(self) -> Failure:
        name, status = self.stack_name, str(self.stack["StackStatus"])
        if status in ("CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"):
            return Failure(
                f"The stack {name} is still being installed ({status})", "retry when the installation is complete"
            )
        if not status.endswith("_COMPLETE") or status == "ROLLBACK_COMPLETE":
            hint = "see the stack's events for the reason; delete the stack, then reinstall it: mlops install"
            return Failure(f"The stack {name} is {status}, so it has no API", hint)
        return Failure(f"The stack {name} is not a main stack: it has no output ApiUrl", "use --stack-name")

    def reachable(self, url: str) -> str:
        """The URL of an API Gateway stage at the endpoint in use.

        AWS's host names always resolve to AWS, so at other endpoints the path contains the API's id.
        """
        parts = urlsplit(url)
        if not self.is_custom_endpoint or not parts.netloc.endswith(AWS_HOSTS):
            return url.rstrip("/")
        api = parts.netloc.split(".")[0]
        return f"{self.endpoint.rstrip('/')}/_aws/execute-api/{api}/{parts.path.strip('/')}"

    def all_reachable(self, value: Any) -> Any:
        """The same value, with every API Gateway URL in it converted by `reachable`."""
        if isinstance(value, dict):
            return {name: self.all_reachable(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.all_reachable(one) for one in value]
        if not isinstance(value, str) or not _STAGE_URL.fullmatch(value) or not self.is_custom_endpoint:
            return value
        return self.reachable(value) + ("/" if value.endswith("/") else "")

    def post(self, route: str, body: bytes) -> Document:
        """A signed POST to the API. Raises ApiError for any response but a 2xx."""
        return self.call("POST", route, body)

    def call(self, method: str, route: str, body: bytes = b"", **query: str) -> Document:
        """A signed request to the API; empty query parameters are omitted. Raises ApiError, like `post`."""
        parameters = urlencode({name: value for name, value in query.items() if value})
        url = f"{self.api_url}/{quote(route)}" + (f"?{parameters}" if parameters else "")
        status, headers, text = self.signed(method, url, body)
        found: Document = self.all_reachable(responses.document(status, headers, text, url, self.action(method, url)))
        return found

    def action(self, method: str, url: str) -> str:
        """The ARN of a route, for IAM policies that allow execute-api:Invoke."""
        parts, base = urlsplit(url), urlsplit(self.api_url)
        *_, stage = base.path.split("/")
        api = base.path.split("/")[-2] if "/_aws/execute-api/" in base.path else base.netloc.split(".")[0]
        stack_id = self.__dict__.get("stack", {}).get("StackId", "")
        partition, account = (stack_id.split(":")[1], stack_id.split(":")[4]) if stack_id else ("aws", "*")
        route = parts.path.removeprefix(base.path)
        return f"arn:{partition}:execute-api:{self.region_of(url)}:{account}:{api}/{stage}/{method}{route}"

    def region_of(self, url: str) -> str:
        """The Region in an API Gateway URL; for any other URL, the Region in use."""
        found = re.search(r"\.execute-api\.([a-z0-9-]+)\.amazonaws\.", url)
        return found[1] if found else self.region_name

    def signed(self, method: str, url: str, body: bytes) -> tuple[int, Mapping[str, str], str]:
        """A request to an API with IAM authorization (SigV4, service execute-api)."""
        request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"})
        SigV4Auth(self.credentials.get_frozen_credentials(), "execute-api", self.region_of(url)).add_auth(request)
        http = URLLib3Session(
            timeout=ANSWER_SECONDS,
            verify=self.session.verify,  # type: ignore[arg-type]  # a path, too; the stub has bool
            proxies=get_environ_proxies(url),
        )
        response = http.send(request.prepare())
        return response.status_code, response.headers, response.text
