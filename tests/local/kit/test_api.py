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

from tests.support.codepipelines import approval, declaration, source, versioned_bucket
from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.roles import trusted_role

TARGET = "CodePipeline_20150709"


def call(
    account: Account, operation: str, body: bytes, session: boto3.Session | None = None
) -> tuple[int, dict[str, Any]]:
    """A signed call with any body, as botocore would not send it."""
    request = AWSRequest(
        "POST",
        f"{account.endpoint}/",
        data=body,
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{TARGET}.{operation}"},
    )
    SigV4Auth((session or account.session).get_credentials(), "codepipeline", "us-east-1").add_auth(request)
    try:
        with urllib.request.urlopen(
            urllib.request.Request(request.url, data=body, headers=dict(request.headers), method="POST")
        ) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize(
    ("operation", "body", "code", "words"),
    [
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
        (
            "PollForJobs",
            b'{"actionTypeId": {"category": "Test", "owner": "Custom", "provider": "x", "version": "1"}}',
            "NotImplemented",
            "PollForJobs",
        ),
        (
            "StopPipelineExecution",
            b'{"pipelineName": "x", "pipelineExecutionId": "y", "abandon": "yes"}',
            "SerializationException",
            "abandon",
        ),
    ],
)
def test_a_request_that_does_not_fit_its_model(
    account: Account, operation: str, body: bytes, code: str, words: str
) -> None:
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
    reader = account.assume(
        _role_for_root(
            account,
            {"Action": "codepipeline:GetPipeline", "Resource": f"arn:aws:codepipeline:us-east-1:123456789012:{name}"},
        )
    )
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
            pipeline=declaration(unique("p"), role, bucket, source(bucket), approval())
        )


def test_a_denial_names_its_resource(account: Account) -> None:
    nobody, bucket = account.assume(_role_for_root(account, {"Action": "sts:*", "Resource": "*"})), unique("bucket")
    account.client("s3").create_bucket(Bucket=bucket)
    for service, operation, arguments, resource in (
        ("sqs", "create_queue", {"QueueName": "q"}, "arn:aws:sqs:us-east-1:123456789012:q"),
        ("s3", "put_object", {"Bucket": bucket, "Key": "k"}, f'"arn:aws:s3:::{bucket}/k"'),
        ("lambda", "get_function", {"FunctionName": "f"}, "arn:aws:lambda:us-east-1:123456789012:function:f"),
    ):
        with pytest.raises(ClientError) as denied:
            getattr(account.client(service, nobody), operation)(**arguments)
        assert f"on resource: {resource} because no identity-based policy allows" in str(denied.value)


def test_a_gateway_denies_in_the_words_its_api_gave_it(account: Account) -> None:
    gateway = account.client("apigateway")
    api_id = gateway.create_rest_api(name=unique("api"))["id"]
    root = gateway.get_resources(restApiId=api_id)["items"][0]["id"]
    gateway.put_method(restApiId=api_id, resourceId=root, httpMethod="GET", authorizationType="AWS_IAM")
    gateway.put_integration(restApiId=api_id, resourceId=root, httpMethod="GET", type="MOCK")
    gateway.put_gateway_response(
        restApiId=api_id,
        responseType="DEFAULT_4XX",
        responseTemplates={"application/json": '{"message": $context.error.messageString, "errors": []}'},
    )
    gateway.create_deployment(restApiId=api_id, stageName="prod")
    nobody = account.assume(_role_for_root(account, {"Action": "sts:*", "Resource": "*"}))
    signed = AWSRequest("GET", f"{account.endpoint}/_aws/execute-api/{api_id}/prod/")
    SigV4Auth(nobody.get_credentials(), "execute-api", "us-east-1").add_auth(signed)
    with pytest.raises(HTTPError) as denied:
        urllib.request.urlopen(urllib.request.Request(signed.url, headers=dict(signed.headers)))
    assert denied.value.code == 403
    with denied.value as refusal:
        answer = json.load(refusal)
    assert answer["errors"] == []
    assert f"on resource: arn:aws:execute-api:us-east-1:********9012:{api_id}/prod/GET/" in answer["message"]


def test_an_unsigned_call_is_refused(account: Account) -> None:
    request = urllib.request.Request(
        f"{account.endpoint}/",
        data=b"{}",
        method="POST",
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{TARGET}.ListPipelines",
            "Authorization": "AWS4-HMAC-SHA256 Credential=/20260101/us-east-1/codepipeline/aws4_request",
        },
    )
    with pytest.raises(HTTPError) as refusal:
        urllib.request.urlopen(request)
    with refusal.value as answer:
        assert answer.code in (400, 403)


def test_only_this_machine_is_listened_to(account: Account) -> None:
    assert account.endpoint.startswith("http://127.0.0.1:")
    quick = Config(connect_timeout=1, retries={"max_attempts": 0})
    assert account.session.client("sts", endpoint_url=account.endpoint, config=quick).get_caller_identity()


def _role_for_root(account: Account, *statements: dict[str, Any]) -> str:
    arn = trusted_role(account, "ec2.amazonaws.com", *statements)
    account.client("iam").update_assume_role_policy(
        RoleName=arn.rsplit("/", 1)[1],
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "sts:AssumeRole",
                        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                    }
                ],
            }
        ),
    )
    return arn
