# SPDX-License-Identifier: Apache-2.0
"""The API's contract from outside: who may call, what is answered, and in which shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.http import error_shape
from tests.support.installed import Installed


@pytest.mark.parametrize("path", ["provisionpipeline", "pipelinestatus"])
def test_an_unsigned_call_is_refused(api: Installed, path: str) -> None:
    answer = api.post(path, {}, signed=False)
    assert answer.status == 403
    error_shape(answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "provisionpipeline"),
        ("PUT", "pipelinestatus"),
        ("DELETE", "provisionpipeline"),
        ("POST", "nowhere"),
        ("POST", ""),
        ("GET", ""),
        ("POST", "provisionpipeline/more"),
    ],
)
def test_any_other_method_and_path_is_a_4xx_in_the_same_shape(api: Installed, method: str, path: str) -> None:
    answer = api.send(f"{api.api_url}/{path}", b"", method=method)
    assert 400 <= answer.status < 500
    error_shape(answer)


BAD = [
    b"",
    b"null",
    b"[]",
    b"7",
    b'"x"',
    b"{",
    b"\xff\xfe",
    b"[" * 60_000,
    b'{"a":1,"a":2}',
    b'{"a":NaN}',
    b'{"pipeline_type": "model_training_builtin", "instance_count": 1e400}',
    b'{"pipeline_type": "model_training_builtin", "model_name": 5}',
    b"{}",
    b'{"pipeline_type": 7}',
    b'{"pipeline_type": "byom_realtime_buildin"}',
    b'{"pipeline_type": "model_training_builtin"}',
]


@pytest.mark.parametrize("raw", BAD, ids=lambda raw: repr(raw[:40]))
def test_a_bad_body_is_a_400_that_makes_nothing(api: Installed, raw: bytes) -> None:
    before = made(api)
    for path in ("provisionpipeline", "pipelinestatus"):
        answer = api.send(f"{api.api_url}/{path}", raw)
        assert answer.status == 400, answer.text
        assert error_shape(answer)["errors"]
    assert made(api) == before


def test_a_body_that_is_too_large_is_a_413(api: Installed) -> None:
    answer = api.send(f"{api.api_url}/provisionpipeline", b'{"a":"' + b"x" * 70_000 + b'"}')
    assert answer.status == 413
    error_shape(answer)


def test_any_content_type_is_read_as_json(api: Installed) -> None:
    body = json.dumps({"pipeline_type": "nothing"}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/octet-stream"):
        answer = api.send(f"{api.api_url}/provisionpipeline", body, **{"Content-Type": kind})
        assert answer.status == 400
        assert answer.body["errors"][0]["path"] == "/pipeline_type", answer.text


@pytest.mark.parametrize(
    "pipeline_id",
    [
        "mlops-pipeline-nobody-modeltraining",
        "mlops-orchestrator",
        "x y",
        "ö",
        "-",
        "a" * 300,
        "arn:aws:cloudformation:us-east-1:123456789012:stack/mlops-orchestrator/00000000-0000-0000-0000-000000000000",
        "arn:aws:s3:::bucket",
        "mlops-pipeline-nobody-modeltraining-codepipeline/0f2c",
        "arn:aws:cloudformation:us-east-1:123456789012:stack/mlops-pipeline-nobody-modeltraining-codepipeline",
        "arn:aws:cloudformation:us-east-1:123456789012:stack/mlops-pipeline-nobody-modeltraining-codepipeline/",
        "arn:aws:cloudformation:us-east-1:123456789012:stack/mlops-pipeline-nobody-modeltraining-codepipeline/a/b",
        "arn:aws:cloudformation:us-east-1:123456789012:stack/mlops-pipeline-nobody-modeltraining-codepipeline/a b",
    ],
)
def test_an_unknown_or_foreign_pipeline_is_a_404(api: Installed, pipeline_id: str) -> None:
    answer = api.post("pipelinestatus", {"pipeline_id": pipeline_id})
    assert answer.status == 404, answer.text
    error_shape(answer)


@pytest.mark.parametrize(
    "body", [{}, {"pipeline_id": ""}, {"pipeline_id": 7}, {"pipeline_id": None}, {"pipeline": "x"}]
)
def test_a_status_request_without_an_id_is_a_400(api: Installed, body: Any) -> None:
    answer = api.post("pipelinestatus", body)
    assert answer.status == 400
    assert error_shape(answer)["errors"]


def made(api: Installed) -> Any:
    """What a request could have left behind."""
    buckets = (api.assets_bucket, api.bundle_bucket)
    listed = [one for name in buckets for one in api.client("s3").list_objects_v2(Bucket=name).get("Contents", [])]
    stacks = api.client("cloudformation").describe_stacks()["Stacks"]
    return [one["Key"] for one in listed], [stack["StackName"] for stack in stacks]
