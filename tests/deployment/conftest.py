# SPDX-License-Identifier: Apache-2.0
"""One build, and one account on the laptop to install it in."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from mlops.deploy.build import Distribution, build

from tests.local.laptop import start_account, stop_account

DISTRIBUTION = Distribution("a-distribution-bucket", "mlops-orchestrator", "v0")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built")
    build(DISTRIBUTION, out)
    return out


@dataclass(frozen=True)
class Account:
    """What installs: anything with a region and clients."""

    endpoint: str
    session: boto3.Session

    @property
    def region_name(self) -> str:
        return str(self.session.region_name)

    def client(self, service: str, **options: Any) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint, **options)

    def post(self, api_id: str, path: str, body: Any, signed: bool = True) -> tuple[int, Any]:
        """Ask an API of this account."""
        url = f"{self.endpoint}/restapis/{api_id}/prod/_user_request_/{path}"
        request = AWSRequest("POST", url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        if signed:
            SigV4Auth(self.session.get_credentials(), "execute-api", self.region_name).add_auth(request)
        wire = urllib.request.Request(url, request.data, dict(request.headers), method="POST")
        try:
            with urllib.request.urlopen(wire, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    started = start_account()
    try:
        yield Account(started.endpoint, started.session)
    finally:
        assert stop_account(started) == 0
