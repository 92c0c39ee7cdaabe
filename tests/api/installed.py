# SPDX-License-Identifier: Apache-2.0
"""An installed orchestrator, used from outside as its callers use it: HTTP with SigV4, and boto3."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from mlops.deploy.install import install
from mlops.deploy.upload import upload

ENDED = {"Succeeded", "Failed", "Stopped", "WaitingForApproval"}
HTTP = urllib3.PoolManager(retries=False, timeout=60)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


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
        request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json", **headers})
        if signed:
            SigV4Auth(self.session.get_credentials().get_frozen_credentials(), "execute-api", "us-east-1").add_auth(
                request
            )
        answer = HTTP.request(method, url, body=body, headers=dict(request.headers))
        return Answer(answer.status, answer.headers, answer.data.decode())

    def post(self, path: str, body: Any, signed: bool = True) -> Answer:
        raw = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.send(f"{self.api_url}/{path}", raw, signed=signed)

    def provision(self, body: Any) -> Answer:
        return self.post("provisionpipeline", body)

    def status(self, pipeline_id: str) -> Any:
        answer = self.post("pipelinestatus", {"pipeline_id": pipeline_id})
        assert answer.status == 200, answer.text
        return answer.body["pipeline"]

    def ended(self, pipeline_id: str, seconds: float = 60, unless: str | None = None) -> Any:
        """The pipeline once it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pipeline = self.status(pipeline_id)
            if pipeline["status"] in ENDED:
                return pipeline
            time.sleep(0.3)
        raise AssertionError(f"still {pipeline['status']} after {seconds} s: {pipeline}")

    def put(self, key: str, data: bytes | str) -> None:
        self.client("s3").put_object(Bucket=self.assets_bucket, Key=key, Body=data)


def build(out: Path, *options: str) -> Path:
    """The build that AWS gets, from this source tree."""
    command = [sys.executable, "-m", "mlops.deploy.build", "dist", "mlops", "v1", "--out", str(out), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out


def installed(endpoint: str, session: boto3.Session, assets: Path, **parameters: str) -> Installed:
    """Install a build into a running account."""

    class Session:
        region_name = "us-east-1"

        @staticmethod
        def client(service: str, **options: Any) -> Any:
            return session.client(service, endpoint_url=endpoint, **options)

    template = upload(Session(), assets, "dist", "mlops", "v1", create=True)
    outputs = install(
        Session(), "mlops-orchestrator", template, {"NotificationEmail": "you@laptop.example", **parameters}
    )
    api_id = outputs["ApiUrl"].split("//")[1].split(".")[0]
    api_url = f"{endpoint}/_aws/execute-api/{api_id}/prod"
    return Installed(endpoint, api_url, session, outputs["AssetsBucketName"], outputs["BundleBucketName"])
