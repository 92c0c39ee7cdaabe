# SPDX-License-Identifier: Apache-2.0
"""Functions wait for their turn on a small machine, and none waits for ever."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from mlops.local.functions import gate

from tests.support.codepipelines import zipped
from tests.support.laptop import Account, start_account, stop_account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

SIZE = gate.size(gate.cores(), gate.memory())
CODE = """
import json, time, urllib.request
import boto3
from botocore.config import Config

def work(event, context):
    time.sleep(0.05)
    return event

def nested(event, context):
    client = boto3.client("lambda", config=Config(read_timeout=60, retries={"max_attempts": 0}))
    return json.loads(client.invoke(FunctionName=event["function"], Payload=json.dumps(event))["Payload"].read())

def for_stack(event, context):
    client = boto3.client("cloudformation")
    while True:
        try:
            if client.describe_stacks(StackName=event["stack"])["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE":
                return event
        except client.exceptions.ClientError:
            pass
        time.sleep(0.1)

def resource(event, context):
    answer = {"Status": "SUCCESS", "PhysicalResourceId": "made", "Data": {},
              **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request)
"""


@pytest.fixture(scope="module")
def own() -> Iterator[Account]:
    """An account whose functions are this module's."""
    started = start_account()
    yield started
    assert stop_account(started) == 0


@pytest.fixture(scope="module")
def functions(own: Account) -> dict[str, str]:
    """The names of the functions in CODE."""
    role = trusted_role(own, "lambda.amazonaws.com", {"Action": "*", "Resource": "*"})
    client, made = own.client("lambda"), {}
    for handler in ("work", "nested", "for_stack", "resource"):
        made[handler] = client.create_function(
            FunctionName=unique(handler.replace("_", "-")),
            Runtime="python3.13",
            Handler=f"code.{handler}",
            Role=role,
            Timeout=60,
            Code={"ZipFile": zipped(code__py=CODE)},
        )["FunctionName"]
    for name in made.values():
        wait_for(lambda name=name: client.get_function(FunctionName=name)["Configuration"]["State"] == "Active")
    return made


def invoked(account: Account, name: str, event: dict[str, Any]) -> Any:
    config = Config(read_timeout=120, retries={"max_attempts": 0}, max_pool_connections=1)
    client = account.session.client("lambda", endpoint_url=account.endpoint, config=config)
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.loads(answer["Payload"].read())


@pytest.mark.parametrize(
    ("runtime", "words"),
    [
        ("provided.al2023", b"all users of this machine"),
        ("java21", b"only functions in Python and Node.js"),
        ("ruby3.3", b"only functions in Python and Node.js"),
    ],
)
def test_a_runtime_that_cannot_run_here_is_an_error(own: Account, runtime: str, words: bytes) -> None:
    client = own.client("lambda")
    name = client.create_function(
        FunctionName=unique("elsewhere"),
        Runtime=runtime,
        Handler="bootstrap",
        Role=trusted_role(own, "lambda.amazonaws.com"),
        Code={"ZipFile": zipped(bootstrap="#!/bin/sh\nsleep 60\n")},
    )["FunctionName"]
    wait_for(lambda: client.get_function(FunctionName=name)["Configuration"]["State"] == "Active")
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    assert answer["FunctionError"]
    assert words in answer["Payload"].read()


def processes(account: Account) -> int:
    """How many processes the account has started that still run."""
    found = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rsplit(")", 1)[1].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += int(parent) == account.process.pid and state != "Z"
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not list a process's children")
def test_a_hundred_at_once_are_answered_by_few_processes_that_soon_end(own: Account, functions: dict[str, str]) -> None:
    done, most = threading.Event(), 0

    def watch() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, processes(own))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda number: invoked(own, functions["work"], {"number": number}), range(100)))
    finally:
        done.set()
        watching.join()
    assert [answer["number"] for answer in answers] == list(range(100))
    assert 1 <= most <= SIZE.most
    assert wait_for(lambda: processes(own) <= 1, seconds=60)


def test_functions_that_invoke_functions_are_answered(own: Account, functions: dict[str, str]) -> None:
    with ThreadPoolExecutor(SIZE.limit) as pool:
        events = [{"function": functions["work"], "number": number} for number in range(SIZE.limit)]
        assert list(pool.map(lambda event: invoked(own, functions["nested"], event), events)) == events


def test_functions_that_wait_for_a_stacks_custom_resource_are_answered(own: Account, functions: dict[str, str]) -> None:
    stack = unique("awaited")
    token = f"arn:aws:lambda:us-east-1:123456789012:function:{functions['resource']}"
    with ThreadPoolExecutor(SIZE.limit + 1) as pool:
        waiting = [pool.submit(invoked, own, functions["for_stack"], {"stack": stack}) for _ in range(SIZE.limit + 1)]
        own.client("cloudformation").create_stack(
            StackName=stack,
            TemplateBody=json.dumps(
                {"Resources": {"R": {"Type": "Custom::Thing", "Properties": {"ServiceToken": token}}}}
            ),
        )
        assert [one.result()["stack"] for one in waiting] == [stack] * (SIZE.limit + 1)
