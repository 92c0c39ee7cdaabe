# SPDX-License-Identifier: Apache-2.0
"""Schedules start their targets with the role that they name, and are refused what that role or its maker may not."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from mlops.local.services.scheduler import due

from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.stacks import deployed, outputs
from tests.support.waiting import wait_for

SERVICE = "scheduler.amazonaws.com"
WINDOW = {"Mode": "OFF"}


def moment(seconds: float) -> str:
    """An expression for a moment from now; the wall clock's seconds are what Scheduler knows."""
    return f"at({datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S})"


@pytest.fixture(scope="module")
def machine(account: Account) -> str:
    definition = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    arn: str = account.client("stepfunctions").create_state_machine(
        name=unique("machine"),
        roleArn=trusted_role(account, "states.amazonaws.com"),
        definition=json.dumps(definition),
    )["stateMachineArn"]
    return arn


def starter(account: Account, machine: str) -> str:
    return trusted_role(account, SERVICE, {"Action": "states:StartExecution", "Resource": machine})


def inputs(account: Account, machine: str) -> list[Any]:
    states = account.client("stepfunctions")
    found = states.list_executions(stateMachineArn=machine)["executions"]
    return [json.loads(states.describe_execution(executionArn=one["executionArn"])["input"]) for one in found]


def errors(account: Account) -> float:
    points = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Scheduler",
        MetricName="TargetErrorCount",
        Dimensions=[{"Name": "ScheduleGroup", "Value": "default"}],
        StartTime=time.time() - 3600,
        EndTime=time.time() + 3600,
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def test_a_schedule_of_a_stack_starts_its_state_machine(account: Account, machine: str) -> None:
    role = starter(account, machine)
    maker = trusted_role(
        account,
        "cloudformation.amazonaws.com",
        {
            "Action": ["scheduler:CreateSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule"],
            "Resource": "arn:aws:scheduler:us-east-1:123456789012:schedule/default/stack-*",
        },
        {
            "Action": "iam:PassRole",
            "Resource": role,
            "Condition": {"StringEquals": {"iam:PassedToService": SERVICE}},
        },
    )
    name = unique("made")

    def template(expression: str) -> dict[str, Any]:
        target = {"Arn": machine, "RoleArn": role, "Input": json.dumps({"by": name})}
        properties = {
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": "Europe/Berlin",
            "FlexibleTimeWindow": WINDOW,
            "EndDate": "2099-01-01T00:00:00Z",
            "Target": target,
        }
        schedule = {"Type": "AWS::Scheduler::Schedule", "Properties": properties}
        return {"Resources": {"S": schedule}, "Outputs": {"S": {"Value": {"Ref": "S"}}}}

    stack, status, reasons = deployed(account, template("cron(0 3 ? * MON *)"), RoleARN=maker)
    assert status == "CREATE_COMPLETE", reasons
    scheduler, physical = account.client("scheduler"), outputs(account, stack)["S"]
    made = scheduler.get_schedule(Name=physical)
    assert made["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert made["EndDate"].year == 2099
    assert physical in [one["Name"] for one in scheduler.list_schedules(NamePrefix=stack)["Schedules"]]

    cloudformation = account.client("cloudformation")
    changed = template(moment(3))
    del changed["Resources"]["S"]["Properties"]["ScheduleExpressionTimezone"]
    cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(changed))
    wait_for(lambda: {"by": name} in inputs(account, machine))

    cloudformation.delete_stack(StackName=stack)

    def deleted() -> bool:
        return physical not in [one["Name"] for one in scheduler.list_schedules()["Schedules"]]

    wait_for(deleted)
    assert inputs(account, machine).count({"by": name}) == 1


@pytest.mark.parametrize("allowed", ["scheduler:CreateSchedule", "iam:PassRole"])
def test_a_stacks_role_must_be_allowed_both(account: Account, machine: str, allowed: str) -> None:
    role = starter(account, machine)
    maker = trusted_role(account, "cloudformation.amazonaws.com", {"Action": allowed, "Resource": "*"})
    target = {"Arn": machine, "RoleArn": role}
    properties = {"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": WINDOW, "Target": target}
    resources = {"S": {"Type": "AWS::Scheduler::Schedule", "Properties": properties}}
    _, status, reasons = deployed(account, {"Resources": resources}, RoleARN=maker)
    assert status == "ROLLBACK_COMPLETE"
    missing = {"scheduler:CreateSchedule", "iam:PassRole"} - {allowed}
    assert f"is not authorized to perform: {missing.pop()}" in reasons


def test_what_is_refused(account: Account, machine: str) -> None:
    scheduler, role = account.client("scheduler"), starter(account, machine)
    strangers = trusted_role(account, "lambda.amazonaws.com")
    topic = account.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    for changes, code, message in (
        ({"Target": {"Arn": machine, "RoleArn": strangers}}, "ValidationException", "must allow AWS EventBridge Sched"),
        ({"Target": {"Arn": topic, "RoleArn": role}}, "ValidationException", "does not support schedules that start"),
        ({"Target": {"Arn": "x", "RoleArn": role}}, "ValidationException", "Provided Arn is not in correct format"),
        ({"ScheduleExpression": "every day"}, "ValidationException", "Invalid Schedule Expression every day"),
        ({"ScheduleExpression": "cron(0 3 1 * 1 *)"}, "ValidationException", "Invalid Schedule Expression"),
        ({"ScheduleExpression": "at(2027-02-31T00:00:00)"}, "ValidationException", "Invalid Schedule Expression"),
        ({"ScheduleExpression": "rate(0 days)"}, "ValidationException", "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Mars/Base"}, "ValidationException", "Invalid ScheduleExpressionTimezone"),
        ({"GroupName": "another"}, "ResourceNotFoundException", "Schedule group another does not exist"),
    ):
        with pytest.raises(ClientError, match=message) as caught:
            scheduler.create_schedule(**request(machine, role, **changes))
        assert caught.value.response["Error"]["Code"] == code
    wanted = request(machine, role)
    scheduler.create_schedule(**wanted)
    with pytest.raises(scheduler.exceptions.ConflictException):
        scheduler.create_schedule(**wanted)
    scheduler.delete_schedule(Name=wanted["Name"])
    for call in (scheduler.get_schedule, scheduler.delete_schedule):
        with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
            call(Name=wanted["Name"])
    with pytest.raises(ClientError, match="The laptop account does not support scheduler CreateScheduleGroup"):
        scheduler.create_schedule_group(Name="another")


def request(machine: str, role: str, **changes: Any) -> dict[str, Any]:
    return {
        "Name": unique("schedule"),
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": WINDOW,
        "Target": {"Arn": machine, "RoleArn": role},
        **changes,
    }


def test_a_role_that_may_not_start_the_target_starts_nothing(account: Account, machine: str) -> None:
    before, ran = errors(account), len(inputs(account, machine))
    role = trusted_role(account, SERVICE, {"Action": "states:ListExecutions", "Resource": "*"})
    name = unique("denied")
    wanted = request(machine, role, Name=name, ScheduleExpression=moment(2), ActionAfterCompletion="DELETE")
    account.client("scheduler").create_schedule(**wanted)
    wait_for(lambda: errors(account) == before + 1)
    assert len(inputs(account, machine)) == ran
    wait_for(lambda: name not in [one["Name"] for one in account.client("scheduler").list_schedules()["Schedules"]])


def test_a_schedule_outlives_a_kill(start: Callable[..., Account], tmp_path: Path) -> None:
    account = start("--data", str(tmp_path))
    definition = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    machine = account.client("stepfunctions").create_state_machine(
        name="machine", roleArn=trusted_role(account, "states.amazonaws.com"), definition=json.dumps(definition)
    )["stateMachineArn"]
    wanted = request(machine, starter(account, machine), ScheduleExpression=moment(20))
    account.client("scheduler").create_schedule(**wanted)
    account.process.kill()
    account.process.wait()
    again = start("--data", str(tmp_path))
    assert again.client("scheduler").get_schedule(Name=wanted["Name"])["Target"] == wanted["Target"]
    wait_for(lambda: len(inputs(again, machine)) == 1)


AFTER = datetime(2027, 3, 27, 12, 0, tzinfo=UTC)  # a Saturday; on the next day Berlin's clocks go forward


@pytest.mark.parametrize(
    ("expression", "zone", "more", "expected"),
    [
        ("at(2027-03-27T13:30:00)", "Europe/Berlin", {}, "2027-03-27T12:30:00"),
        ("at(2027-03-27T12:30:00)", "Europe/Berlin", {}, None),
        ("rate(5 minutes)", "UTC", {}, "2027-03-27T12:01:00"),
        ("rate(1 hour)", "UTC", {"StartDate": datetime(2027, 3, 28, 1, 30, tzinfo=UTC)}, "2027-03-28T01:30:00"),
        ("rate(1 hour)", "UTC", {"StartDate": datetime(2027, 3, 27, 1, 30, tzinfo=UTC)}, "2027-03-27T12:30:00"),
        ("rate(1 day)", "UTC", {"EndDate": datetime(2027, 3, 27, 12, 30, tzinfo=UTC)}, None),
        ("cron(0 3 ? * MON *)", "UTC", {}, "2027-03-29T03:00:00"),
        ("cron(0 3 ? * MON *)", "Europe/Berlin", {}, "2027-03-29T01:00:00"),
        ("cron(0 3 L * ? *)", "UTC", {}, "2027-03-31T03:00:00"),
        ("cron(0 3 * * ? 2026)", "UTC", {}, None),
    ],
)
def test_when_a_schedule_is_due(expression: str, zone: str, more: dict[str, Any], expected: str | None) -> None:
    schedule = {
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": zone,
        "LastModificationDate": datetime(2027, 3, 27, 11, 51, tzinfo=UTC),
        **more,
    }
    found = due.next_time(schedule, AFTER)
    assert found == (datetime.fromisoformat(expected).replace(tzinfo=UTC) if expected else None)
