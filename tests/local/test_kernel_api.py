# SPDX-License-Identifier: Apache-2.0
"""Our services refuse what their models do not allow, and whom IAM does not."""

import json
import urllib.request
from typing import Any
from urllib.error import HTTPError

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.local.laptop import Account
from tests.local.pipelines import approval, declaration, source, trusted_role, unique, versioned_bucket

TARGET = "CodePipeline_20150709"


def call(account: Account, operation: str, body: bytes,
         session: boto3.Session | None = None) -> tuple[int, dict[str, Any]]:
    """A signed call with any body, as botocore would not send it."""
    request = AWSRequest("POST", f"{account.endpoint}/", data=body, headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{TARGET}.{operation}"})
    SigV4Auth((session or account.session).get_credentials(), "codepipeline", "us-east-1").add_auth(request)
    try:
        with urllib.request.urlopen(urllib.request.Request(
                request.url, data=body, headers=dict(request.headers), method="POST")) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize(("operation", "body", "code", "words"), [
    ("GetPipeline", b"{}", "ValidationException", "Value null at 'name'"),
    ("GetPipeline", b'{"name": "a b"}', "ValidationException", "satisfy regular expression pattern"),
    ("GetPipeline", b'{"name": "' + b"x" * 101 + b'"}', "ValidationException", "length less than or equal to 100"),
    ("GetPipeline", b'{"name": "a b", "version": 0}', "ValidationException", "2 validation errors detected"),
    ("GetPipeline", b'{"name": 3}', "SerializationException", "can not be converted"),
    ("GetPipeline", b'{"name": "a", "nonsense": 1}', "SerializationException", "nonsense"),
    ("GetPipeline", b"[]", "SerializationException", "not a JSON object"),
    ("GetPipeline", b"{", "SerializationException", "not valid JSON"),
    ("GetPipeline", b"[" * 100_000, "SerializationException", "not valid JSON"),
    ("Nonsense", b"{}", "UnknownOperationException", "Nonsense"),
    ("PollForJobs", b'{"actionTypeId": {"category": "Test", "owner": "Custom", "provider": "x", "version": "1"}}',
     "NotImplemented", "PollForJobs"),
    ("StopPipelineExecution", b'{"pipelineName": "x", "pipelineExecutionId": "y", "abandon": "yes"}',
     "SerializationException", "abandon"),
])
def test_a_request_that_does_not_fit_its_model(account: Account, operation: str, body: bytes, code: str,
                                               words: str) -> None:
    status, answer = call(account, operation, body)
    assert 400 <= status <= 501
    assert answer["__type"] == code
    assert words in answer["message"]


def test_a_wrong_secret_is_refused(account: Account) -> None:
    stranger = boto3.Session("123456789012", "guess", region_name="us-east-1")
    status, answer = call(account, "ListPipelines", b"{}", stranger)
    assert (status, answer["__type"]) == (400, "InvalidSignatureException")


def test_a_policy_may_name_one_pipeline(account: Account) -> None:
    codepipeline, name = account.client("codepipeline"), unique("pipeline")
    bucket, role = versioned_bucket(account), trusted_role(account, "codepipeline.amazonaws.com")
    codepipeline.create_pipeline(pipeline=declaration(name, role, bucket, source(bucket), approval()))
    reader = account.assume(_role_for_root(account, {
        "Action": "codepipeline:GetPipeline", "Resource": f"arn:aws:codepipeline:us-east-1:123456789012:{name}"}))
    as_reader = account.client("codepipeline", reader)
    assert as_reader.get_pipeline(name=name)["pipeline"]["name"] == name
    with pytest.raises(ClientError, match="not authorized to perform: codepipeline:GetPipeline"):
        as_reader.get_pipeline(name="another")
    with pytest.raises(ClientError, match="not authorized to perform: codepipeline:DeletePipeline"):
        as_reader.delete_pipeline(name=name)


def test_a_role_is_passed_by_those_who_may(account: Account) -> None:
    bucket, role = versioned_bucket(account), trusted_role(account, "codepipeline.amazonaws.com")
    maker = account.assume(_role_for_root(account, {"Action": "codepipeline:*", "Resource": "*"}))
    with pytest.raises(ClientError, match="not authorized to perform: iam:PassRole"):
        account.client("codepipeline", maker).create_pipeline(
            pipeline=declaration(unique("p"), role, bucket, source(bucket), approval()))


def test_an_unsigned_call_is_refused(account: Account) -> None:
    request = urllib.request.Request(f"{account.endpoint}/", data=b"{}", method="POST", headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{TARGET}.ListPipelines",
        "Authorization": "AWS4-HMAC-SHA256 Credential=/20260101/us-east-1/codepipeline/aws4_request"})
    with pytest.raises(HTTPError) as refusal:
        urllib.request.urlopen(request)
    assert refusal.value.code in (400, 403)


def test_only_this_machine_is_listened_to(account: Account) -> None:
    assert account.endpoint.startswith("http://127.0.0.1:")
    quick = Config(connect_timeout=1, retries={"max_attempts": 0})
    assert account.session.client("sts", endpoint_url=account.endpoint, config=quick).get_caller_identity()


def _role_for_root(account: Account, *statements: dict[str, Any]) -> str:
    arn = trusted_role(account, "ec2.amazonaws.com", *statements)
    account.client("iam").update_assume_role_policy(RoleName=arn.rsplit("/", 1)[1], PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                               "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}]}))
    return arn
