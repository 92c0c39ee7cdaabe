# SPDX-License-Identifier: Apache-2.0
"""Right after an installation IAM may deny what it will allow seconds later."""

import time

import pytest
from chalicelib.aws import calls
from chalicelib.aws.calls import Calls
from chalicelib.settings import Settings

from tests.support.custom_resources import Reply, serving, use_endpoint

DENIED = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>"
STACKS = "<DescribeStacksResponse><DescribeStacksResult><Stacks/></DescribeStacksResult></DescribeStacksResponse>"


class Denies:
    """AWS that denies the first calls."""

    def __init__(self, count: int, reply: Reply = (403, {}, DENIED)) -> None:
        self.left, self.reply, self.asked = count, reply, 0

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        self.asked += 1
        self.left -= 1
        return self.reply if self.left >= 0 else (200, {}, STACKS)


def describe(aws: Denies, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the stacks could be described, with connections that have just been made."""
    with serving(aws) as url:
        use_endpoint(monkeypatch, url)
        client = Calls(settings, attempts=1).client("cloudformation")
        try:
            client.describe_stacks()
        except client.exceptions.ClientError:
            return False
        return True


def test_a_denied_call_is_made_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Denies(1)
    assert describe(aws, settings, monkeypatch)
    assert aws.asked == 2


def test_a_call_that_stays_denied_ends_in_seconds(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    aws, began = Denies(100), time.monotonic()
    assert not describe(aws, settings, monkeypatch)
    assert aws.asked == 1 + len(calls.PAUSES)
    assert time.monotonic() - began < 15


def test_another_error_is_not_waited_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "<ErrorResponse><Error><Code>ValidationError</Code></Error></ErrorResponse>"
    aws = Denies(1, (400, {}, wrong))
    assert not describe(aws, settings, monkeypatch)
    assert aws.asked == 1


def test_a_denial_of_a_function_that_has_run_for_long_is_not_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "NEW", -1)
    aws = Denies(1)
    assert not describe(aws, settings, monkeypatch)
    assert aws.asked == 1
