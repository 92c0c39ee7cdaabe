# SPDX-License-Identifier: Apache-2.0
"""Who can reach the account: not a page in a browser, not a name that was rebound, and nobody without a key."""

import hashlib
import http.client
import json
import socket
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.support.codepipelines import versioned_bucket, zipped
from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

FORM = "application/x-www-form-urlencoded"
CREATE_STACK = urllib.parse.urlencode(
    {
        "Action": "CreateStack",
        "Version": "2010-05-15",
        "StackName": "evil",
        "TemplateBody": '{"Resources":{"T":{"Type":"AWS::SNS::Topic"}}}',
    }
)


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def grants(self) -> list[str]:
        return [name for name in self.headers if name.lower().startswith("access-control-")]


def port_of(account: Account) -> int:
    return int(account.endpoint.rsplit(":", 1)[1])


def send(
    account: Account,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    host: str | None = None,
) -> Answered:
    """A request exactly as it is written here; boto3 would add to it."""
    port = port_of(account)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    given = {"Host": host or f"127.0.0.1:{port}", "Content-Length": str(len(body)), **(headers or {})}
    for name, value in given.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    try:
        return Answered(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def signed(
    account: Account,
    method: str,
    path: str,
    service: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    region: str = "us-east-1",
    secret: str | None = None,
    query: bool = False,
) -> AWSRequest:
    keys = account.session.get_credentials()
    request = AWSRequest(method, account.endpoint + path, data=body, headers=headers or {})
    credentials = Credentials(keys.access_key, keys.secret_key if secret is None else secret)
    (SigV4QueryAuth if query else SigV4Auth)(credentials, service, region).add_auth(request)
    return request


def sent(account: Account, request: AWSRequest, **more: str) -> Answered:
    parts = urllib.parse.urlsplit(request.url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    body = request.data if isinstance(request.data, bytes) else str(request.data or "").encode()
    return send(account, request.method, path, {**dict(request.headers.items()), **more}, body)


def stacks(account: Account) -> set[str]:
    return {one["StackName"] for one in account.client("cloudformation").describe_stacks()["Stacks"]}


# --- pages -------------------------------------------------------------------------------------------------


PAGES: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:8888"},
    {"Origin": "http://evil.localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_is_refused_even_where_it_has_the_key(account: Account, page: dict[str, str]) -> None:
    form = signed(account, "POST", "/", "cloudformation", {"Content-Type": FORM}, CREATE_STACK.encode())
    query = signed(account, "POST", f"/?{CREATE_STACK}", "cloudformation", query=True)
    for request in (form, query):
        answered = sent(account, request, **page)
        assert (answered.status, answered.grants) == (403, [])
        assert b"web page" in answered.body
    assert "evil" not in stacks(account)


def test_a_page_that_signs_with_a_known_key_makes_nothing(account: Account) -> None:
    """As it was done: a form post without a preflight, signed in its query, from a browser that sends no Origin."""
    for secret in ("laptop", "test", "", account.session.get_credentials().access_key):
        request = signed(account, "POST", f"/?{CREATE_STACK}", "cloudformation", secret=secret, query=True)
        assert sent(account, request).status == 403
    assert "evil" not in stacks(account)


def test_who_has_the_key_may_sign_a_query(account: Account) -> None:
    request = signed(account, "POST", f"/?{CREATE_STACK.replace('evil', 'fine')}", "cloudformation", query=True)
    assert sent(account, request).status == 200
    account.client("cloudformation").delete_stack(StackName="fine")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example:{port}",
        "evillocalhost:{port}",
        "s3.us-east-1.amazonaws.com",
        "x.execute-api.evil.example:{port}",
        "0.0.0.0:{port}",
        "127.0.0.1:{port}@evil.example",
        "",
        "x y.localhost:{port}",
    ],
)
def test_a_name_that_was_rebound_to_this_machine_is_refused(account: Account, host: str) -> None:
    answered = send(account, "GET", "/", {"Accept": "text/html"}, host=host.format(port=port_of(account)) or " ")
    assert answered.status in (400, 403)
    assert b"on this laptop" not in answered.body


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}", "s3.localhost:{port}"]
)
def test_its_own_names_are_served(account: Account, host: str) -> None:
    answered = send(account, "GET", "/", {"Accept": "text/html"}, host=host.format(port=port_of(account)))
    assert answered.status == 200


def test_a_second_host_is_refused(account: Account) -> None:
    with socket.create_connection(("127.0.0.1", port_of(account))) as connection:
        connection.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port_of(account)}\r\nHost: evil.example\r\n"
            "Accept: text/html\r\nConnection: close\r\n\r\n".encode()
        )
        assert connection.recv(4096).split()[1] in (b"400", b"403")


def test_no_preflight_is_granted(account: Account) -> None:
    bucket = unique("cors")
    s3 = account.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_cors(
        Bucket=bucket,
        CORSConfiguration={
            "CORSRules": [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"], "AllowedHeaders": ["*"]}]
        },
    )
    for path in ("/", f"/{bucket}/key", "/_aws/execute-api/abc/prod/x", "/2015-03-31/functions", "/x", "/endpoints/e"):
        for origin in ("https://evil.example", account.endpoint):
            answered = send(
                account,
                "OPTIONS",
                path,
                {
                    "Origin": origin,
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "authorization,x-amz-target",
                },
            )
            assert (answered.status, answered.grants) == (403, []), path


def test_no_answer_lets_a_page_read_it(account: Account) -> None:
    """Not even one to the account's own page, by whatever service."""
    bucket = unique("cors")
    s3 = account.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_cors(
        Bucket=bucket,
        CORSConfiguration={
            "CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposeHeaders": ["ETag"]}]
        },
    )
    asked = [
        signed(account, "GET", f"/{bucket}/k", "s3", {"Origin": account.endpoint}),
        signed(account, "GET", "/2015-03-31/functions", "lambda"),
        signed(
            account,
            "POST",
            "/",
            "sagemaker",
            {"X-Amz-Target": "SageMaker.ListModels", "Content-Type": "application/x-amz-json-1.1"},
            b"{}",
        ),
        signed(account, "POST", "/", "iam", {"Content-Type": FORM}, b"Action=ListRoles&Version=2010-05-08"),
        signed(account, "GET", "/restapis", "apigateway"),
        signed(account, "GET", "/nobody/x", "s3"),
    ]
    for request in asked:
        answered = sent(account, request)
        assert answered.status in (200, 404), answered
        assert answered.grants == [], request.url


def test_a_web_socket_is_refused(account: Account) -> None:
    answered = send(
        account,
        "GET",
        "/_aws/execute-api/abc/prod",
        {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    )
    assert answered.status == 403


def test_a_browser_is_told_what_this_is(account: Account) -> None:
    answered = send(account, "GET", "/", {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Site": "none"})
    assert answered.status == 200
    assert b"mlops local up" in answered.body
    assert b"every request must be signed" in answered.body
    assert b"<script" not in answered.body
    assert answered.headers["content-type"] == "text/html; charset=utf-8"
    assert answered.headers["content-security-policy"].startswith("default-src 'none'")
    assert account.session.get_credentials().secret_key.encode() not in answered.body
    assert send(account, "HEAD", "/", {"Accept": "text/html"}).body == b""
    assert send(account, "GET", "/", {"Accept": "*/*"}).status == 403


# --- who has no key ----------------------------------------------------------------------------------------


def target(name: str, version: str = "1.1") -> dict[str, str]:
    return {"X-Amz-Target": name, "Content-Type": f"application/x-amz-json-{version}"}


def form(**fields: str) -> bytes:
    return urllib.parse.urlencode(fields).encode()


# (method, path, headers, body): an operation of every protocol, and every route that ministack has beside them
UNSIGNED: list[tuple[str, str, dict[str, str], bytes]] = [
    ("POST", "/", {"Content-Type": FORM}, CREATE_STACK.encode()),
    ("POST", "/", {"Content-Type": FORM}, form(Action="CreateQueue", QueueName="q", Version="2012-11-05")),
    ("POST", "/", {"Content-Type": FORM}, form(Action="CreateTopic", Name="t", Version="2010-03-31")),
    (
        "POST",
        "/",
        {"Content-Type": FORM},
        form(Action="Publish", TopicArn="arn:aws:sns:us-east-1:123456789012:t", Message="m"),
    ),
    ("GET", "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:123456789012:t&Token=x", {}, b""),
    ("GET", "/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-east-1:123456789012:t:x", {}, b""),
    ("GET", "/123456789012/q?Action=SendMessage&MessageBody=x", {}, b""),
    ("POST", "/123456789012/q", {"Content-Type": FORM}, form(Action="SendMessage", MessageBody="x")),
    ("POST", "/", {"Content-Type": FORM}, form(Action="CreateUser", UserName="u", Version="2010-05-08")),
    ("POST", "/", {"Content-Type": FORM}, form(Action="GetCallerIdentity", Version="2011-06-15")),
    (
        "POST",
        "/",
        {"Content-Type": FORM},
        form(
            Action="AssumeRoleWithWebIdentity",
            RoleArn="arn:aws:iam::123456789012:role/r",
            RoleSessionName="s",
            WebIdentityToken="x.y.z",
            Version="2011-06-15",
        ),
    ),
    (
        "POST",
        "/",
        {"Content-Type": FORM},
        form(
            Action="AssumeRoleWithSAML",
            RoleArn="arn:aws:iam::123456789012:role/r",
            PrincipalArn="p",
            SAMLAssertion="x",
            Version="2011-06-15",
        ),
    ),
    ("POST", "/", {"Content-Type": FORM}, form(Action="RunInstances", Version="2016-11-15")),
    ("POST", "/", {"Content-Type": FORM}, form(Action="DescribeClusters", Version="2012-12-01")),
    ("POST", "/", target("AmazonSQS.CreateQueue", "1.0"), b'{"QueueName":"q"}'),
    ("POST", "/", target("SageMaker.ListModels"), b"{}"),
    ("POST", "/", target("CodePipeline_20150709.ListPipelines"), b"{}"),
    ("POST", "/", target("AWSStepFunctions.ListStateMachines", "1.0"), b"{}"),
    ("POST", "/", target("DynamoDB_20120810.ListTables", "1.0"), b"{}"),
    ("POST", "/", target("Logs_20140328.DescribeLogGroups"), b"{}"),
    ("POST", "/", target("TrentService.ListKeys"), b"{}"),
    ("POST", "/", target("secretsmanager.ListSecrets"), b"{}"),
    ("POST", "/", target("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"), b"{}"),
    ("POST", "/", target("AWSCognitoIdentityService.GetId"), b"{}"),
    ("POST", "/", target("AWSCognitoIdentityProviderService.SignUp"), b"{}"),
    ("POST", "/", target("AWSEvents.PutEvents"), b'{"Entries":[]}'),
    (
        "POST",
        "/service/GraniteServiceVersion20100801/operation/ListMetrics",
        {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"},
        b"\xa0",
    ),
    ("GET", "/2015-03-31/functions", {}, b""),
    ("POST", "/2015-03-31/functions/f/invocations", {}, b"{}"),
    ("POST", "/2021-11-15/functions/f/response-streaming-invocations", {}, b"{}"),
    ("GET", "/2018-06-01/runtime/invocation/next", {}, b""),
    ("POST", "/2018-06-01/runtime/invocation/x/response", {}, b"{}"),
    ("GET", "/restapis", {}, b""),
    ("POST", "/restapis", {}, b"{}"),
    ("GET", "/v2/apis", {}, b""),
    ("POST", "/endpoints/e/invocations", {"Content-Type": "text/csv"}, b"1"),
    ("GET", "/", {}, b""),
    ("PUT", "/bucket", {}, b""),
    ("GET", "/bucket/key", {}, b""),
    ("PUT", "/bucket/key", {}, b"x"),
    ("POST", "/bucket", {"Content-Type": "multipart/form-data; boundary=x"}, b"--x--"),
    ("POST", "/bucket?delete", {}, b"<Delete/>"),
    ("DELETE", "/bucket/key", {}, b""),
    ("HEAD", "/bucket/key", {}, b""),
    ("GET", "/v20180820/mrap/instances", {}, b""),
    ("POST", "/WriteGetObjectResponse", {"X-Amz-Request-Route": "r", "X-Amz-Request-Token": "t"}, b"x"),
    ("GET", "/iceberg/v1/config", {}, b""),
    ("GET", "/iceberg/v1/x/namespaces", {}, b""),
    ("POST", "/Execute", {"Content-Type": "application/json"}, b"{}"),
    ("POST", "/v2/email/outbound-emails", {}, b"{}"),
    ("GET", "/v2/", {}, b""),
    ("GET", "/v2/_catalog", {}, b""),
    ("GET", "/v2/r/tags/list", {}, b""),
    ("POST", "/v2/r/blobs/uploads/", {}, b"x"),
    ("PUT", "/v2/r/manifests/latest", {}, b"{}"),
    ("GET", "/_aws/lambda-url/u/x", {}, b""),
    ("POST", "/_aws/lambda-url/u/", {}, b"{}"),
    ("GET", "/_alb/a/x", {}, b""),
    ("GET", "/oauth2/authorize?client_id=x", {}, b""),
    ("POST", "/oauth2/token", {"Content-Type": FORM}, form(grant_type="client_credentials")),
    ("POST", "/login", {"Content-Type": FORM}, form(username="u")),
    ("GET", "/logout?client_id=x", {}, b""),
    ("GET", "/oauth2/userInfo", {}, b""),
    ("GET", "/pool/.well-known/jwks.json", {}, b""),
    ("GET", "/oidc/x/.well-known/openid-configuration", {}, b""),
    ("POST", "/saml2/idpresponse", {"Content-Type": FORM}, b"SAMLResponse=x"),
    ("GET", "/latest/meta-data/iam/security-credentials/", {}, b""),
    ("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, b""),
    ("GET", "/v2/credentials/x", {}, b""),
    ("GET", "/v3/x/task", {}, b""),
    ("GET", "/v4/x", {}, b""),
    ("POST", "/v1/chat/completions", {"Content-Type": "application/json"}, b"{}"),
    ("POST", "/graphql", {"x-api-key": "x"}, b"{}"),
    ("POST", "/v1/apis/x/graphql", {"x-api-key": "x"}, b"{}"),
    ("POST", "/event", {}, b"{}"),
    ("GET", "/key-value-stores/x/keys", {}, b""),
    ("GET", "/2020-05-31/distribution", {}, b""),
    ("GET", "/2013-04-01/hostedzone", {}, b""),
    ("GET", "/clusters", {}, b""),
    ("POST", "/position-estimate", {}, b"{}"),
    ("GET", "/signing-jobs", {}, b""),
    ("GET", "/unknown/path/of/nobody", {}, b""),
]
CONTROLS = [
    *(
        f"/_ministack/{name}"
        for name in (
            "health",
            "ready",
            "reset",
            "config",
            "sqs/messages",
            "sns/sms-messages",
            "ses/messages",
            "transfer/sftp-ports",
            "iot/ca.pem",
            "rds/ca.pem",
            "rds/iam-auth",
            "elasticache/ca.pem",
            "eks-auth/c",
            "lambda-code/f",
            "lambda-layers/l/1/content",
            "cfn-response/x",
            "cfn-signal/x",
        )
    ),
    "/_ministack",
    "/_localstack/health",
    "/_localstack/init",
    "/health",
]
NOT_A_KEYS: Iterable[dict[str, str]] = [
    {
        "Authorization": "AWS4-HMAC-SHA256 Credential=123456789012/20260101/us-east-1/{scope}/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
        "X-Amz-Date": "20260101T000000Z",
    },
    {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{scope}/aws4_request"},
    {"Authorization": "AWS test:AAAA"},
    {"Authorization": "Bearer 123456789012"},
    {"Authorization": "Basic dGVzdDp0ZXN0"},
    {"Authorization": " "},
]


def name_of(value: Any) -> str | None:
    return f"{value[0]} {value[1]} {value[2].get('X-Amz-Target', '')} {value[3][:30]!r}" if len(value) == 4 else None


@pytest.mark.parametrize("request_", UNSIGNED, ids=name_of)
def test_what_nobody_signed_is_refused(account: Account, request_: tuple[str, str, dict[str, str], bytes]) -> None:
    method, path, headers, body = request_
    answered = send(account, method, path, headers, body)
    assert answered.status in (400, 401, 403), answered
    assert answered.grants == []
    for key in NOT_A_KEYS:
        for scope in ("s3", "sqs"):
            wrong = {name: value.format(scope=scope) for name, value in key.items()}
            answered = send(account, method, path, {**headers, **wrong}, body)
            assert answered.status in (400, 401, 403), (wrong, answered)
    joined = f"{path}{'&' if '?' in path else '?'}"
    for query in (
        "AWSAccessKeyId=test&Signature=x&Expires=9999999999",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=123456789012/20260101/us-east-1/s3/aws4_request"
        "&X-Amz-Date=20260101T000000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=0",
        "X-Amz-Credential=123456789012/20260101/us-east-1/sqs/aws4_request",
        "X-Amz-Signature=0",
        "Signature=0",
    ):
        answered = send(account, method, joined + query, headers, body)
        assert answered.status in (400, 401, 403), (query, answered)


@pytest.mark.parametrize("path", CONTROLS)
def test_nothing_answers_beside_the_apis(account: Account, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "HEAD"):
        assert send(account, method, path).status in (403, 404), method


def test_nothing_was_made_by_them(account: Account) -> None:
    assert "evil" not in stacks(account)
    assert not account.client("sqs").list_queues().get("QueueUrls")
    assert "bucket" not in [one["Name"] for one in account.client("s3").list_buckets()["Buckets"]]


def test_a_presigned_url_is_a_signature(account: Account) -> None:
    bucket = versioned_bucket(account)
    s3 = account.session.client("s3", endpoint_url=account.endpoint, config=Config(signature_version="s3v4"))
    s3.put_object(Bucket=bucket, Key="k", Body=b"content")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    path = url.removeprefix(account.endpoint)
    assert send(account, "GET", path).body == b"content"
    assert send(account, "GET", path[:-1] + ("0" if path[-1] != "0" else "1")).status == 403
    assert send(account, "GET", path.replace("/k?", "/other?")).status == 403
    assert send(account, "DELETE", path).status == 403


@pytest.mark.parametrize("service", ["s3", "iam", "sagemaker", "cloudformation", "lambda", "sqs"])
def test_a_signature_for_another_region_is_refused(account: Account, service: str) -> None:
    call = {
        "s3": "list_buckets",
        "iam": "list_roles",
        "sagemaker": "list_models",
        "cloudformation": "list_stacks",
        "lambda": "list_functions",
        "sqs": "list_queues",
    }[service]
    keys = account.session.get_credentials()
    elsewhere = boto3.Session(keys.access_key, keys.secret_key, region_name="eu-west-1")
    client = elsewhere.client(service, endpoint_url=account.endpoint, config=Config(retries={"max_attempts": 0}))
    if service == "iam":
        client.meta.events.register(
            "choose-signer.iam",
            lambda context, **_: context.__setitem__("signing", {"region": "eu-west-1", "signing_name": "iam"}),
        )
    with pytest.raises(ClientError) as refused:
        getattr(client, call)()
    assert "eu-west-1" in str(refused.value)
    assert "us-east-1" in str(refused.value)
    assert refused.value.response["Error"]["Code"] in {
        "AuthorizationHeaderMalformed",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
    }


def test_a_signature_for_another_service_is_refused(account: Account) -> None:
    for service in ("iam", "s3", "sagemaker"):
        asked = signed(account, "POST", "/", service, target("Logs_20140328.DescribeLogGroups"), b"{}")
        answered = sent(account, asked)
        assert answered.status in (400, 403)
        assert b"Credential should be scoped to correct service: 'logs'" in answered.body
    asked = signed(account, "POST", "/", "logs", target("Logs_20140328.DescribeLogGroups"), b"{}")
    assert sent(account, asked).status == 200


# --- APIs --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def api(account: Account) -> str:
    """The path of a REST API with a method that wants IAM (/signed) and one that wants nothing (/open)."""
    gateway = account.client("apigateway")
    made = gateway.create_rest_api(name=unique("api"))["id"]
    [root] = [one["id"] for one in gateway.get_resources(restApiId=made)["items"]]
    for name, authorization in (("signed", "AWS_IAM"), ("open", "NONE")):
        resource = gateway.create_resource(restApiId=made, parentId=root, pathPart=name)["id"]
        at = {"restApiId": made, "resourceId": resource, "httpMethod": "GET"}
        gateway.put_method(**at, authorizationType=authorization)
        gateway.put_method_response(**at, statusCode="200")
        gateway.put_integration(**at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
        gateway.put_integration_response(
            **at, statusCode="200", responseTemplates={"application/json": "{}"}, responseParameters={}
        )
    gateway.create_deployment(restApiId=made, stageName="prod")
    return f"/_aws/execute-api/{made}/prod"


def test_an_apis_methods_say_who_may_call(account: Account, api: str) -> None:
    assert send(account, "GET", f"{api}/open").status == 200
    unsigned = send(account, "GET", f"{api}/signed")
    assert (unsigned.status, json.loads(unsigned.body)["message"]) == (403, "Missing Authentication Token")
    assert sent(account, signed(account, "GET", f"{api}/signed", "execute-api")).status == 200
    for key in NOT_A_KEYS:
        wrong = {name: value.format(scope="execute-api") for name, value in key.items()}
        assert send(account, "GET", f"{api}/signed", wrong).status in (400, 403), wrong
    for origin in PAGES:
        assert send(account, "GET", f"{api}/open", origin).status == 403


def test_an_api_wants_its_own_scope(account: Account, api: str) -> None:
    other = sent(account, signed(account, "GET", f"{api}/signed", "s3"))
    assert (other.status, "correct service: 'execute-api'" in other.body.decode()) == (403, True)
    elsewhere = sent(account, signed(account, "GET", f"{api}/signed", "execute-api", region="eu-west-1"))
    assert (elsewhere.status, "valid region, not 'eu-west-1'" in elsewhere.body.decode()) == (403, True)


# --- functions ---------------------------------------------------------------------------------------------


def test_a_functions_credentials_cannot_be_worked_out(account: Account) -> None:
    role = trusted_role(account, "lambda.amazonaws.com", {"Action": "s3:ListAllMyBuckets", "Resource": "*"})
    name = unique("guessed")
    account.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="code.handler",
        Role=role,
        Code={
            "ZipFile": zipped(
                code__py="import boto3\ndef handler(event, context):\n"
                "    return boto3.client('sts').get_caller_identity()['Arn']\n"
            )
        },
    )
    wait_for(lambda: account.client("lambda").get_function(FunctionName=name)["Configuration"]["State"] == "Active")
    answer = account.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    assert role.rsplit("/", 1)[1] in json.loads(answer["Payload"].read())
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    digest = hashlib.sha256(f"{arn}:{role}".encode()).hexdigest()
    guessed = boto3.Session(
        f"ASIA{digest[:16].upper()}",
        hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
        region_name="us-east-1",
    )
    with pytest.raises(ClientError, match=r"InvalidAccessKeyId|InvalidClientTokenId|UnrecognizedClient"):
        account.client("s3", guessed).list_buckets()


def test_a_custom_resources_answer_is_believed_only_where_it_was_asked_for(account: Account) -> None:
    for path in ("cfn-response", "cfn-signal"):
        answered = send(
            account, "PUT", f"/_ministack/{path}/00000000-0000-0000-0000-000000000000", {}, b'{"Status": "SUCCESS"}'
        )
        assert answered.status == 404
