# SPDX-License-Identifier: Apache-2.0
"""The states that a RunJob state is made into (run_job.py), and why they are what they are."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
from chalicelib.job_kinds import COMPLETED, CREATED, ENDED_BADLY, FAILURE_REASON, RUN_ENDING, RUNNING, JobKind

State = dict[str, Any]

BEGIN = "Begin"
OWN_STATES = (BEGIN, "FindName", "PickName", "RecordName", "Refused", "Describe", "Status", "Wait")
SHARED_STATES = ("NotifySuccess", "Succeeded", "Explain", "NotifyFailure", "Failed")
DATA = ("Arguments", "Assign", "Output")  # fields of a state whose content is its author's own
VARIABLES = ("job", "cause", "is_free", "reason", "registration", "status")

PATIENCE = [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 2, "BackoffRate": 2, "MaxAttempts": 4}]
INPUT = "{% $states.input %}"
CAUSE = "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : $states.errorOutput.Error %}"
_ERROR = "$states.errorOutput.Error & ' ' & $states.errorOutput.Cause"
# The words differ from kind to kind: "Requested resource not found.", "Could not find requested job with name: …",
# "Amazon SageMaker can't find a tuning job called …".
_MISSING = "/not ?found|not find|can.t find/i"
# "Job name must be unique within an AWS account and region, and a job with this name already exists",
# "A hyperparameter tuning job with the name, …, already exists."
_TAKEN = "/must be unique|already exists/i"


@dataclass(frozen=True)
class Job:
    """One RunJob state as it was written."""

    state: str
    kind: JobKind
    name: Any
    owner: Any  # the ARN of its role, or the name of its model
    role: str  # the role's logical id; empty where the kind has none
    arguments: Any
    then: str  # the state that follows
    comment: str

    def of_its_own(self, suffix: str) -> str:
        """The name of a state made for this job alone."""
        return f"{self.state}{suffix}"


@functools.cache
def service_model() -> Any:
    """SageMaker's service model, as botocore has it."""
    return botocore.session.get_session().get_service_model("sagemaker")


def longest_name(kind: JobKind) -> int:
    """How long the name of a job of this kind may be."""
    limit: int = service_model().operation_model(kind.create).input_shape.members[kind.name].metadata["max"]
    return limit


def expression(value: Any) -> str | None:
    """What is between {% and %}; None where that isn't all there is."""
    text = value.strip() if isinstance(value, str) else ""
    return text[2:-2].strip() if text.startswith("{%") and text.endswith("%}") else None


def states_of(job: Job, begins: Mapping[str, str]) -> dict[str, State]:
    """The states for one job; `begins` are the first states of all of them."""
    kind = job.kind
    then = begins.get(job.then, job.then)
    begin, find, pick, record, refused, describe, status, wait = map(job.of_its_own, OWN_STATES)
    describing = {"Resource": task(kind.describe_integration), "Arguments": {kind.name: "{% $job.name %}"}}
    return {
        # The name enters as data, and so does the owner; nowhere is a value pasted into an expression.
        begin: {
            "Type": "Pass",
            "Assign": {
                "job": {"kind": kind.key, "label": kind.label, "name": job.name, "owner": job.owner, "created": False},
                "cause": "",
            },
            "Next": find,
        },
        # The name may be another's job, which must not count as this run's: /stop stops what a run's job is called. So
        # where nobody says that no job has it (throttled, denied), the run picks a name of its own, too.
        find: {
            "Type": "Task",
            **describing,
            "Catch": [
                {
                    "ErrorEquals": ["States.ALL"],
                    "Assign": {"is_free": f"{{% $contains({_ERROR}, {_MISSING}) %}}"},
                    "Next": pick,
                }
            ],
            "Assign": {"is_free": False},
            "Next": pick,
        },
        # Random, so that it is another one each time: executions of a schedule have one request, and so one name.
        pick: {
            "Type": "Pass",
            "Assign": {
                "job": "{% $is_free ? $job : $merge([$job, {'name': "
                f"$replace($substring($job.name, 0, {longest_name(kind) - RUN_ENDING}), /-+$/, '')"
                f" & '-' & $substring($uuid(), 0, {RUN_ENDING - 1})}}]) %}}"
            },
            "Next": record,
        },
        # Picked before the create, so that a retried create finds its own job; and told, so that status finds it, too.
        record: {
            "Type": "Pass",
            "Output": {"job": {"kind": kind.key, "name": "{% $job.name %}"}},
            "Next": job.state,
        },
        job.state: {
            "Type": "Task",
            **({"Comment": job.comment} if job.comment else {}),
            "Resource": task(kind.integration),
            "Arguments": _arguments(job),
            # Throttling and failures of the service have this one name, and so has a refused request: few attempts.
            "Retry": [
                {
                    "ErrorEquals": [
                        "SageMaker.AmazonSageMakerException" if kind.events_rule else "SageMaker.SageMakerException",
                        "SageMaker.SdkClientException",
                    ],
                    "IntervalSeconds": 2,
                    "BackoffRate": 2,
                    "MaxAttempts": 2,
                    "JitterStrategy": "FULL",
                }
            ],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"cause": CAUSE}, "Output": INPUT, "Next": refused}],
            **(
                {"Assign": _completed(job), "Output": INPUT, "Next": then}
                if kind.events_rule
                else {"Assign": {"job": "{% $merge([$job, {'created': true}]) %}"}, "Output": INPUT, "Next": wait}
            ),
        },
        # The name was free, and now it is taken: it may be that the create's answer was lost, and the job is ours.
        refused: {
            "Type": "Choice",
            "Choices": [{"Condition": f"{{% $contains($cause, {_TAKEN}) %}}", "Next": describe}],
            "Default": "Explain",
        },
        describe: {
            "Type": "Task",
            **describing,
            "Retry": PATIENCE,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"cause": CAUSE}, "Output": INPUT, "Next": "Explain"}],
            "Assign": {**_completed(job), **_described(kind)},
            "Output": INPUT,
            "Next": status,
        },
        status: {
            "Type": "Choice",
            "Choices": [
                {"Condition": f"{{% $status = '{COMPLETED}' %}}", "Next": then},
                {"Condition": f"{{% $status in {_list(RUNNING)} %}}", "Next": wait},
            ],
            "Default": "Explain",
        },
        # A twentieth of the time gone, from 5 seconds to 20 minutes: an execution has room for 25,000 events, and the
        # longest job takes 30 days.
        wait: {
            "Type": "Wait",
            "Seconds": "{% $max([5, $min([1200, $floor(($millis()"
            " - $toMillis($states.context.Execution.StartTime)) / 20000)])]) %}",
            "Next": describe,
        },
    }


def _arguments(job: Job) -> Any:
    """The request with name and owner in it."""
    path = (job.kind.role or "ModelName").split(".")
    own: list[tuple[list[str], str]] = [([job.kind.name], "{% $job.name %}"), (path, "{% $job.owner %}")]
    if isinstance(job.arguments, dict):
        request: Any = job.arguments
        for keys, value in own:
            request = _with(request, keys, value)
        return request
    # An expression can leave members out, which a mapping can't: name and owner are merged into what it gives.
    added = ", ".join(f"'{keys[0]}': {_inner('$arguments', keys, value[2:-2].strip())}" for keys, value in own)
    return f"{{% (\n  $arguments := {expression(job.arguments)};\n  $merge([$arguments, {{{added}}}])\n) %}}"


def _with(request: Any, keys: list[str], value: str) -> Any:
    first, *others = keys
    inner = request.get(first, {})
    if others and not isinstance(inner, dict):
        return request  # the check of arguments tells
    return {**request, first: _with(inner, others, value) if others else value}


def _inner(here: str, keys: list[str], value: str) -> str:
    """The value of the first key: with what is at `here` around it, where there are more keys."""
    first, *others = keys
    if not others:
        return value
    return f"$merge([{here}.{first}, {{'{others[0]}': {_inner(f'{here}.{first}', others, value)}}}])"


def _completed(job: Job) -> dict[str, str]:
    """What is assigned of a job's description."""
    artifact = _path(job.kind.artifact)
    assigned = {job.state: "{% $states.result %}"}
    if artifact:
        assigned["job"] = f"{{% $merge([$job, {{'artifact': $exists({artifact}) ? {artifact} : ''}}]) %}}"
    return assigned


def _described(kind: JobKind) -> dict[str, str]:
    """What a description comes to: its status if the job is this run's, and what it says if it ended badly.

    A job whose creation was answered is this run's. Any other is if it has the owner, and is no older than the run.
    """
    ours = (
        f"($job.created or {_path(kind.role or 'ModelName')} = $job.owner"
        f" and $toMillis($states.result.{CREATED}) >= $toMillis($states.context.Execution.StartTime))"
    )
    status = f"$states.result.{kind.status}"
    return {
        "status": f"{{% {ours} ? {status} : 'Foreign' %}}",
        "cause": f"{{% {ours} and {status} in {_list(ENDED_BADLY)} ? $string($states.result) : $cause %}}",
    }


# --- the states of all jobs ----------------------------------------------------------------------------------


def shared_states(states: Mapping[str, State]) -> dict[str, State]:
    """The states that all jobs of a state machine end in; of those of success, what these states lead to."""
    made = _endings()
    unused = {"NotifySuccess", "Succeeded"} - set(_ways(states))
    if "NotifySuccess" not in unused:
        unused = set()
    return {name: state for name, state in made.items() if name not in unused}


def _ways(node: Any) -> Iterator[str]:
    """The states that those below a node lead to."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key in ("Next", "Default") and isinstance(value, str):
            yield value
        elif key not in DATA:
            yield from _ways(value)


def _endings() -> dict[str, State]:
    what = "$job.label & ' ' & $job.name"
    return {
        "NotifySuccess": {
            **_notice(
                "completed",
                f"{what} & ' completed.'"
                " & ($exists($job.artifact) and $job.artifact != '' ? ' Its output is ' & $job.artifact & '.' : '')"
                " & ($exists($job.registered) ? ' It is registered as ' & $job.registered & '.' : '')",
            ),
            # The job has done its work: a notice that could not be sent does not undo it.
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": INPUT, "Next": "Succeeded"}],
            "Output": INPUT,
            "Next": "Succeeded",
        },
        "Succeeded": {
            "Type": "Succeed",
            "Output": "{% $merge([{'job': {'kind': $job.kind, 'name': $job.name}},"
            " $exists($job.registered) ? {'registered': $job.registered} : {}]) %}",
        },
        # A failed job's cause is the job's description as JSON; a refused call's is a sentence. Step Functions keeps
        # 32,768 characters of a cause, so a long description may have lost its end; no state catches a failed $parse.
        "Explain": {
            "Type": "Pass",
            "Assign": {
                "reason": "{% (\n"
                "  $described := $contains($cause, /^\\s*\\{[\\s\\S]*\\}\\s*$/) ? $parse($cause);\n"
                "  $ended := $lookup($described, $job.kind & 'Status');\n"
                f"  $exists($described.{FAILURE_REASON}) ? $described.{FAILURE_REASON}\n"
                "    : $exists($ended) ? 'the job ended as ' & $ended\n"
                "    : $substring($cause, 0, 30000)\n"
                ") %}"
            },
            "Next": "NotifyFailure",
        },
        "NotifyFailure": {
            **_notice("failed", f"{what} & ' failed: ' & $reason"),
            # The job's failure is what matters: a notice that could not be sent must not hide it.
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": INPUT, "Next": "Failed"}],
            "Output": INPUT,
            "Next": "Failed",
        },
        "Failed": {
            "Type": "Fail",
            "Error": "{% $exists($job.error) ? $job.error : $job.kind & 'Failed' %}",
            "Cause": f"{{% {what} & ': ' & $reason %}}",
        },
    }


def _notice(how: str, message: str) -> State:
    return {
        "Type": "Task",
        "Resource": task("sns:publish"),
        "Arguments": {
            "TopicArn": {"Ref": "NotificationsSNSTopicArn"},
            "Subject": f"{{% $substring($job.label & ' ' & $job.name & ' {how}', 0, 99) %}}",  # SNS takes less than 100
            "Message": f"{{% {message} %}}",
        },
        "Retry": PATIENCE,
    }


def task(integration: str) -> dict[str, str]:
    """The resource of a Task state."""
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:states:::{integration}"}


def _path(path: str) -> str:
    """A dotted path into a description, as JSONata: numbers are places in lists."""
    keys = "".join(f"[{key}]" if key.isdigit() else f".{key}" for key in path.split("."))
    return f"$states.result{keys}" if path else ""


def _list(values: frozenset[str]) -> str:
    return "[" + ", ".join(f"'{value}'" for value in sorted(values)) + "]"
