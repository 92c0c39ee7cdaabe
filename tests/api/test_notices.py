# SPDX-License-Identifier: Apache-2.0
"""The topic hears how jobs and pipelines end, whatever the end is."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, csv, training


@pytest.fixture(scope="module")
def queue(api: Installed) -> str:
    """The URL of a queue that is subscribed to the installation's topic."""
    [stack] = api.client("cloudformation").describe_stacks(StackName="mlops-orchestrator")["Stacks"]
    [topic] = [one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == "MLOpsNotificationsTopicArn"]
    url: str = api.client("sqs").create_queue(QueueName="notices")["QueueUrl"]
    arn = api.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    api.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    api.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url


def heard(api: Installed, queue: str, name: str, count: int) -> list[str]:
    """What the queue has heard of a name, once that is `count` messages."""
    found: list[str] = []
    deadline = time.monotonic() + 15
    while len(found) < count and time.monotonic() < deadline:
        received: Any = api.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = [json.loads(one["Body"])["Message"] for one in received.get("Messages", [])]
        found += [message for message in messages if name in message]
    return found


@pytest.mark.parametrize(("name", "data", "end"), [("notice-good", True, "SUCCEEDED"), ("notice-bad", False, "FAILED")])
def test_a_job_and_its_pipeline_are_told_of(api: Installed, queue: str, name: str, data: bool, end: str) -> None:
    if data:
        api.put(f"{name}/train.csv", csv(ROWS[:60], LABELS[:60]))
    api.ended(api.provision(training(name, validation_data="")).body["pipeline_id"])
    messages = heard(api, queue, name, 2)
    [pipeline] = [message for message in messages if message.startswith(("Pipeline", '"Pipeline'))]
    [job] = [message for message in messages if message != pipeline]
    assert end in pipeline
    assert f"{name}-training-" in job
    assert ("completed" in job) == data, job
