# SPDX-License-Identifier: Apache-2.0
"""An installed orchestrator, used from outside as its callers use it: HTTP with SigV4, and boto3."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from mlops.deploy.install import install
from mlops.deploy.upload import upload

from tests.support import http
from tests.support.builds import DISTRIBUTION
from tests.support.http import Answer
from tests.support.laptop import Account

ENDED = {"Succeeded", "Failed", "Stopped", "WaitingForApproval"}


@dataclass(frozen=True)
class Installed:
    """A running account with the orchestrator in it."""

    endpoint: str
    api_url: str
    session: boto3.Session
    assets_bucket: str
    bundle_bucket: str

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint)

    def send(self, url: str, body: bytes | str, method: str = "POST", signed: bool = True, **headers: str) -> Answer:
        """One HTTP request, signed for API Gateway."""
        return http.send(self.session, url, body, method, signed, headers)

    def get(self, path: str, signed: bool = True) -> Answer:
        return self.send(f"{self.api_url}/{path}", b"", "GET", signed)

    def post(self, path: str, body: Any, signed: bool = True) -> Answer:
        raw = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.send(f"{self.api_url}/{path}", raw, signed=signed)

    def provision(self, body: Any) -> Answer:
        return self.post("provisionpipeline", body)

    def insisting(self, body: Any, seconds: float = 60) -> Answer:
        """A request, sent again as long as it is told to wait: as Retry-After asks, in the laptop's time."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.provision(body)
            if answer.status != 409 or "Retry-After" not in answer.headers or time.monotonic() > deadline:
                return answer
            time.sleep(0.2)

    def status(self, pipeline_id: str) -> Any:
        answer = self.post("pipelinestatus", {"pipeline_id": pipeline_id})
        assert answer.status == 200, answer.text
        return answer.body["pipeline"]

    def ended(self, pipeline_id: str, seconds: float = 120) -> Any:
        """The pipeline once it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pipeline = self.status(pipeline_id)
            if pipeline["status"] in ENDED:
                return pipeline
            time.sleep(0.2)
        raise AssertionError(f"still {pipeline['status']} after {seconds} s: {pipeline}")

    def put(self, key: str, data: bytes | str) -> None:
        self.client("s3").put_object(Bucket=self.assets_bucket, Key=key, Body=data)


def installed(account: Account, assets: Path, **parameters: str) -> Installed:
    """Install a build into a running account."""
    email = {"NotificationEmail": "you@laptop.example"}
    outputs = install(account, "mlops-orchestrator", uploaded(account, assets), {**email, **parameters})
    buckets = outputs["AssetsBucketName"], outputs["BundleBucketName"]
    return Installed(account.endpoint, api_url(account, outputs["ApiId"]), account.session, *buckets)


def uploaded(account: Account, assets: Path) -> str:
    """The URL of the main template, once the build lies where it is installed from."""
    return upload(account, assets, DISTRIBUTION.bucket, DISTRIBUTION.solution, DISTRIBUTION.version, create=True)


def api_url(account: Account, api_id: str) -> str:
    return f"{account.endpoint}/_aws/execute-api/{api_id}/prod"


def post(account: Account, api_id: str, path: str, body: Any, signed: bool = True) -> Answer:
    """Ask an API of an account."""
    return http.send(account.session, f"{api_url(account, api_id)}/{path}", json.dumps(body), signed=signed)
