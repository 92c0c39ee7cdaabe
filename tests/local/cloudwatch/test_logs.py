# SPDX-License-Identifier: Apache-2.0
"""Logs as the AWS CLI asks for them, and access logs of REST APIs."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from mlops.local.services.cloudwatch import patterns

from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.waiting import wait_for

NOW = int(time.time() * 1000)


@pytest.fixture(scope="module")
def group(account: Account) -> str:
    """Two streams of one job, and one of another; 30 lines each, in turn."""
    logs, name = account.client("logs"), unique("/aws/test/Jobs")
    logs.create_log_group(logGroupName=name)
    for start, stream in enumerate(("alpha/algo-1", "alpha/algo-2", "beta/algo-1")):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
        logs.put_log_events(
            logGroupName=name,
            logStreamName=stream,
            logEvents=[
                {"timestamp": NOW + number * 10 + start, "message": f"line {number} {'ok' if number % 10 else 'ERROR'}"}
                for number in range(30)
            ],
        )
    return name


def _filtered(account: Account, group: str, **more: Any) -> list[dict[str, Any]]:
    pages = account.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group, **more)
    return [event for page in pages for event in page["events"]]


def test_events_are_filtered_by_streams_times_and_pattern_and_come_in_order(account: Account, group: str) -> None:
    every = _filtered(account, group)
    assert len(every) == 90
    assert [event["timestamp"] for event in every] == sorted(event["timestamp"] for event in every)
    assert every[0].keys() >= {"logStreamName", "timestamp", "message", "ingestionTime", "eventId"}
    alpha = _filtered(account, group, logStreamNamePrefix="alpha/")
    assert {event["logStreamName"] for event in alpha} == {"alpha/algo-1", "alpha/algo-2"}
    assert {event["logStreamName"] for event in _filtered(account, group, logStreamNames=["beta/algo-1"])} == {
        "beta/algo-1"
    }
    errors = _filtered(account, group, filterPattern="ERROR", logStreamNamePrefix="alpha/algo-1")
    assert [event["message"] for event in errors] == ["line 0 ERROR", "line 10 ERROR", "line 20 ERROR"]
    assert not _filtered(account, group, filterPattern="error")
    between = _filtered(account, group, startTime=NOW + 100, endTime=NOW + 110, logStreamNames=["alpha/algo-1"])
    assert [event["message"] for event in between] == ["line 10 ERROR", "line 11 ok"]
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"
    assert len(account.client("logs").filter_log_events(logGroupIdentifier=arn)["events"]) == 90


def test_events_come_in_pages(account: Account, group: str) -> None:
    logs = account.client("logs")
    first = logs.filter_log_events(logGroupName=group, limit=50)
    rest = logs.filter_log_events(logGroupName=group, limit=50, nextToken=first["nextToken"])
    assert (len(first["events"]), len(rest["events"]), "nextToken" in rest) == (50, 40, False)
    assert first["events"] + rest["events"] == _filtered(account, group)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"logStreamNames": ["a"], "logStreamNamePrefix": "a"}, "cannot be specified together"),
        ({"logStreamNames": ["nowhere"]}, "log stream does not exist"),
        ({"logGroupName": "/nowhere"}, "log group does not exist"),
        ({"filterPattern": "[a, b]"}, "space-delimited"),
        ({"filterPattern": "{ $.a = }"}, "unexpected end"),
        ({"limit": 10001}, "validation error"),
    ],
)
def test_what_is_refused(account: Account, group: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        account.client("logs").filter_log_events(**{"logGroupName": group, **arguments})


def test_streams_are_ordered(account: Account, group: str) -> None:
    logs = account.client("logs")

    def names(**more: Any) -> list[str]:
        return [one["logStreamName"] for one in logs.describe_log_streams(logGroupName=group, **more)["logStreams"]]

    assert names() == ["alpha/algo-1", "alpha/algo-2", "beta/algo-1"]
    assert names(orderBy="LastEventTime", descending=True, limit=1) == ["beta/algo-1"]
    assert names(logStreamNamePrefix="beta") == ["beta/algo-1"]
    with pytest.raises(ClientError, match="Cannot order by LastEventTime"):
        names(orderBy="LastEventTime", logStreamNamePrefix="beta")


def test_a_log_can_be_followed(account: Account, group: str) -> None:
    """As `aws logs tail --follow` does: from the last time on, without the events that were there already."""
    logs, stream = account.client("logs"), "alpha/algo-1"
    last = _filtered(account, group, logStreamNamePrefix="alpha/", interleaved=True)[-1]
    seen = {event["eventId"] for event in _filtered(account, group, startTime=last["timestamp"])}
    assert last["eventId"] in seen
    logs.put_log_events(
        logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": last["timestamp"], "message": "line 30 ok"}]
    )
    new = [event for event in _filtered(account, group, startTime=last["timestamp"]) if event["eventId"] not in seen]
    assert [(event["logStreamName"], event["message"]) for event in new] == [(stream, "line 30 ok")]


LINE = "[x] ERROR: 404 in two words"
DOCUMENT = json.dumps({"status": 404, "path": "/a/b", "who": None, "ok": False, "in": [{"n": 1.5}]})


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("", LINE, True),
        ("ERROR", LINE, True),
        ("error", LINE, False),
        ("ERROR words", LINE, True),
        ('"two words"', LINE, True),
        ('"words two"', LINE, False),
        ("ERROR -words", LINE, False),
        ("-WARN", LINE, True),
        ("?WARN ?ERROR", LINE, True),
        ("?WARN ?INFO", LINE, False),
        ("ERROR ?WARN", LINE, True),
        (r"%\d{3}%", LINE, True),
        ("{ $.status = 404 }", DOCUMENT, True),
        ("{ $.status = 4* }", DOCUMENT, True),
        ("{ $.status != 404 }", DOCUMENT, False),
        ("{ $.status > 400 && $.status < 500 }", DOCUMENT, True),
        ('{ $.path = "/a/*" }', DOCUMENT, True),
        ("{ $.path = /a/b }", DOCUMENT, True),
        ("{ $.who IS NULL }", DOCUMENT, True),
        ("{ $.ok IS FALSE }", DOCUMENT, True),
        ("{ $.nothing NOT EXISTS }", DOCUMENT, True),
        ("{ $.in[0].n >= 1.5 }", DOCUMENT, True),
        ("{ ($.a = 1 || $.status = 404) && $.ok IS TRUE }", DOCUMENT, False),
        ("{ $.path = %^/a% }", DOCUMENT, True),
        ("{ $.status = 404 }", LINE, False),
        ("{ $.nothing != 1 }", DOCUMENT, False),
    ],
)
def test_filter_patterns(pattern: str, message: str, matches: bool) -> None:
    assert patterns.compiled(pattern)(message) is matches


# --- access logs -------------------------------------------------------------------------------------------

FORMAT = (
    '{"id":"$context.requestId","caller":"$context.identity.userArn","method":"$context.httpMethod",'
    '"path":"$context.path","status":"$context.status","latency":"$context.responseLatency",'
    '"error":"$context.error.message","waf":"$context.wafStatus"}'
)


@pytest.fixture(scope="module")
def api(account: Account) -> Iterator[tuple[str, str]]:
    """A REST API that answers GET / by itself, and its access logs' group."""
    cloudformation, name = account.client("cloudformation"), unique("logged")
    resources = {
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/aws/test/{name}"}},
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": name}},
        "Get": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "HttpMethod": "GET",
                "AuthorizationType": "AWS_IAM",
                "MethodResponses": [{"StatusCode": "200"}],
                "Integration": {
                    "Type": "MOCK",
                    "RequestTemplates": {"application/json": '{"statusCode": 200}'},
                    "IntegrationResponses": [{"StatusCode": "200"}],
                },
            },
        },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": "Get",
            "Properties": {"RestApiId": {"Ref": "Api"}},
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "DeploymentId": {"Ref": "Deployment"},
                "StageName": "prod",
                "AccessLogSetting": {"DestinationArn": {"Fn::GetAtt": ["Logs", "Arn"]}, "Format": FORMAT},
            },
        },
    }
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": resources, "Outputs": {"Id": {"Value": {"Ref": "Api"}}}})
    )

    def outputs() -> Any:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        assert stack["StackStatus"] in ("CREATE_IN_PROGRESS", "CREATE_COMPLETE")
        return stack.get("Outputs")

    yield wait_for(outputs)[0]["OutputValue"], f"/aws/test/{name}"
    cloudformation.delete_stack(StackName=name)


def _get(account: Account, url: str, signed: bool = True) -> tuple[int, str]:
    request = AWSRequest("GET", url, headers={"Host": url.split("/")[2]})
    if signed:
        SigV4Auth(account.session.get_credentials(), "execute-api", "us-east-1").add_auth(request)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(request.headers))) as answer:
            return answer.status, answer.headers["x-amzn-requestid"]
    except urllib.error.HTTPError as error:
        return error.code, error.headers["x-amzn-requestid"]


def test_a_stage_writes_its_access_log(account: Account, api: tuple[str, str]) -> None:
    api_id, group = api
    url = f"{account.endpoint}/_aws/execute-api/{api_id}/prod/"
    status, request_id = _get(account, url)
    refused, refused_id = _get(account, url, signed=False)
    assert (status, refused) == (200, 403)
    lines = {line["id"]: line for line in (json.loads(event["message"]) for event in _filtered(account, group))}
    assert lines[request_id] | {"latency": ""} == {
        "id": request_id,
        "caller": "arn:aws:iam::123456789012:root",
        "method": "GET",
        "path": "/prod/",
        "status": "200",
        "latency": "",
        "error": "-",
        "waf": "-",
    }
    assert lines[request_id]["latency"].isdigit()
    assert (lines[refused_id]["status"], lines[refused_id]["caller"]) == ("403", "-")
    assert "Missing Authentication Token" in lines[refused_id]["error"]
    assert len(_filtered(account, group, filterPattern="{ $.status = 403 }")) == 1
