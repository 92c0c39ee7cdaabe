# SPDX-License-Identifier: Apache-2.0
"""HTTP requests to APIs of API Gateway, signed as IAM wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

_POOL = urllib3.PoolManager(retries=False, timeout=60)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


def send(
    session: boto3.Session,
    url: str,
    body: bytes | str,
    method: str = "POST",
    signed: bool = True,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request, with the session's credentials where it is signed."""
    request = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json", **(headers or {})})
    if signed:
        credentials = session.get_credentials().get_frozen_credentials()
        SigV4Auth(credentials, "execute-api", session.region_name).add_auth(request)
    answer = _POOL.request(method, url, body=body, headers=dict(request.headers))
    return Answer(answer.status, answer.headers, answer.data.decode())


def error_shape(answer: Answer) -> Any:
    """The body of an error, which has the one shape that every error has."""
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.body) - {"detail"} == {"message", "errors", "request_id"}, answer.text
    assert answer.body["message"]
    for error in answer.body["errors"]:
        assert set(error) <= {"path", "code", "problem", "hint"}
        assert error["problem"]
    return answer.body
