# SPDX-License-Identifier: Apache-2.0
"""An EventBridge rule starts a state machine with the role of its target, and not at all without it."""

import json
import time
from typing import Any

import pytest

from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

EVENTS = "events.amazonaws.com"
START = {"Action": "states:StartExecution", "Resource": "*"}


@pytest.mark.parametrize(
    ("service", "statement", "starts"),
    [
        (EVENTS, START, True),
        (EVENTS, {"Action": "states:ListExecutions", "Resource": "*"}, False),
        ("scheduler.amazonaws.com", START, False),
        (None, START, False),
    ],
    ids=["enough", "too small", "of another service", "none"],
)
def test_a_rules_target_needs_its_role(
    account: Account, service: str | None, statement: dict[str, Any], starts: bool
) -> None:
    name, states, events = unique("rule"), account.client("stepfunctions"), account.client("events")
    machine = states.create_state_machine(
        name=name,
        roleArn=trusted_role(account, "states.amazonaws.com"),
        definition=json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}),
    )["stateMachineArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    role = {"RoleArn": trusted_role(account, service, statement)} if service else {}
    events.put_targets(Rule=name, Targets=[{"Id": "machine", "Arn": machine, **role}])
    events.put_events(Entries=[{"Source": name, "DetailType": "x", "Detail": "{}"}])

    def ended() -> bool:
        return bool(states.list_executions(stateMachineArn=machine)["executions"]) or failed(account, name)

    wait_for(ended)
    assert bool(states.list_executions(stateMachineArn=machine)["executions"]) == starts


def failed(account: Account, rule: str) -> bool:
    points = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Events",
        MetricName="FailedInvocations",
        Dimensions=[{"Name": "RuleName", "Value": rule}],
        StartTime=time.time() - 3600,
        EndTime=time.time() + 3600,
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return bool(points)
