# SPDX-License-Identifier: Apache-2.0
"""Makes the states that run a SageMaker job, and the policy for them, out of a RunJob state.

    Train:
      RunJob:
        Kind: TrainingJob           # a row of chalicelib/job_kinds.py
        Name: !Ref JobName          # where nothing else has it; else it gets 8 more characters
        Role: TrainingRole          # the job's role; of a kind without one, `Model`: the AWS::SageMaker::Model it runs
        Arguments: …                # of the kind's Create operation, without name, role and model
      Next: Evaluate                # or End: true

A state `Train` becomes the following ones; what leads to it then leads to the first of them. Those in the last line are
there once for all the jobs of a state machine.

    TrainBegin ─► TrainFindName ─► TrainPickName ─► TrainRecordName ─► Train ─► (Next)
                                                                         │ refused, or failed
                                                                         ▼
    (Next) ◄─ TrainStatus ◄─ TrainDescribe ◄── it is there already ── TrainRefused
                │   └─► TrainWait ─►┘                                    │
                └─────────────► Explain ─► NotifyFailure ─► Failed ◄─────┘
                                            NotifySuccess ─► Succeeded

A job that Step Functions cannot wait for goes from Train to TrainWait.

The variable $Train is the completed job's description, for the states that follow; $job says which job runs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.job_kinds import JOB_KINDS

from mlops.templates import references, register_model, register_states
from mlops.templates.cfn_yaml import Template
from mlops.templates.folder import BlueprintError
from mlops.templates.includes import INCLUDE
from mlops.templates.job_states import (
    BEGIN,
    DATA,
    OWN_STATES,
    SHARED_STATES,
    VARIABLES,
    Job,
    expression,
    longest_name,
    shared_states,
    states_of,
)
from mlops.templates.register_states import Registration

State = dict[str, Any]

NODE = "RunJob"
MACHINE = "MLOpsStateMachine"  # the state machine that _parts/state_machine.yaml has role, version and outputs for
ROLE = "StateMachineRole"
POLICY = "JobPolicy"
NOTICES = "NotifyPolicy"
VOLUME_KEY = "VolumeKmsKeyArn"
VOLUME_KEY_STATEMENTS = "grant_volume_key"  # in _parts
_LONGEST_STATE = 80  # https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html


def expand(template: Template, where: str) -> tuple[Template, dict[str, int]]:
    """The template with its RunJob states made into states and a policy, and how long names of jobs may be.

    The latter by the parameter that a name comes from. Raises BlueprintError for what is wrong.
    """
    definition = _definition(template)
    where = f"{where}: Resources/{MACHINE}/Properties/Definition/States"
    states: dict[str, Any] = definition.get("States", {})
    jobs = {
        name: _read(name, state, template, f"{where}/{name}")
        for name, state in states.items()
        if isinstance(state, dict) and NODE in state
    }
    if not jobs:
        return template, {}
    registrations = {
        name: register_model.read(name, state, jobs, f"{where}/{name}")
        for name, state in states.items()
        if isinstance(state, dict) and register_model.NODE in state
    }
    if ROLE not in template["Resources"]:
        raise BlueprintError(f"{where}: {NODE} requires `Include: [state_machine]` at the top of the template")
    _check(definition, jobs, registrations, where)
    begins = {name: job.of_its_own(BEGIN) for name, job in jobs.items()}
    made: dict[str, State] = {}
    for name, state in states.items():
        if name in jobs:
            made |= states_of(jobs[name], begins)
        elif name in registrations:
            made |= register_states.states_of(registrations[name], begins)
        else:
            made[name] = _led(state, begins)
    start = str(definition.get("StartAt"))
    led = {**definition, "StartAt": begins.get(start, start), "States": made | shared_states(made)}
    machine = template["Resources"][MACHINE]
    own = machine.get("DependsOn", [])
    depends = dict.fromkeys([POLICY, NOTICES, *(own if isinstance(own, list) else [own])])
    resources = {
        **template["Resources"],
        POLICY: _policy(jobs.values(), template, register_model.statements(registrations.values())),
        MACHINE: {
            **machine,
            "DependsOn": list(depends),
            "Properties": {**machine["Properties"], "Definition": led},
        },
    }
    return {**template, "Resources": resources}, _name_limits(jobs.values())


def _definition(template: Template) -> dict[str, Any]:
    """The definition of the template's state machine, as far as it is one."""
    match template.get("Resources", {}).get(MACHINE):
        case {"Properties": {"Definition": {"States": dict()} as definition}}:
            found: dict[str, Any] = definition
            return found
    return {}


def _name_limits(jobs: Iterable[Job]) -> dict[str, int]:
    limits: dict[str, int] = {}
    for job in jobs:
        match job.name:
            case {"Ref": str(parameter)}:
                limit = longest_name(job.kind)
                limits[parameter] = min(limit, limits.get(parameter, limit))
    return limits


# --- what was written ----------------------------------------------------------------------------------------


def _read(name: str, state: State, template: Template, where: str) -> Job:
    node = state[NODE]
    _known(state, (NODE, "Next", "End", "Comment"), where)
    where = f"{where}/{NODE}"
    if not isinstance(node, dict):
        raise BlueprintError(f"{where} is not a mapping")
    _known(node, ("Kind", "Name", "Role", "Model", "Arguments"), where)
    kind = JOB_KINDS.get(str(node.get("Kind")))
    if kind is None:
        raise BlueprintError(f"{where}/Kind {node.get('Kind')!r} is not one of {', '.join(JOB_KINDS)}")
    missing = [key for key in ("Name", "Arguments") if not node.get(key)]
    if missing:
        raise BlueprintError(f"{where} has no {missing[0]}")
    arguments = node["Arguments"]
    if not isinstance(arguments, dict) and expression(arguments) is None:
        raise BlueprintError(f"{where}/Arguments must be a mapping or a JSONata expression {{% … %}}")
    if ("Next" in state) == (state.get("End") is True):
        raise BlueprintError(f"{where} requires either `Next` or `End: true` beside it")
    owner, other = ("Role", "Model") if kind.role else ("Model", "Role")
    if other in node:
        raise BlueprintError(f"{where} has a {other}; a {kind.key} requires a {owner} instead")
    if isinstance(arguments, dict) and (said := {kind.name, kind.role or "ModelName"} & set(arguments)):
        raise BlueprintError(f"{where}/Arguments contains {min(said)}, which {NODE} sets")
    logical_id = str(node.get(owner))
    wanted, attribute = {"Role": ("AWS::IAM::Role", "Arn"), "Model": ("AWS::SageMaker::Model", "ModelName")}[owner]
    if template["Resources"].get(logical_id, {}).get("Type") != wanted:
        raise BlueprintError(f"{where}/{owner} must be the logical ID of an {wanted} in this template")
    return Job(
        name,
        kind,
        node["Name"],
        {"Fn::GetAtt": [logical_id, attribute]},
        logical_id if kind.role else "",
        arguments,
        str(state.get("Next", SHARED_STATES[0])),
        str(state.get("Comment", "")),
    )


def _known(node: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in node:
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, 1)
            raise BlueprintError(f"{where}/{key} is an unknown key" + (f" (did you mean {near[0]!r}?)" if near else ""))


def _check(
    definition: Mapping[str, Any], jobs: Mapping[str, Job], registrations: Mapping[str, Registration], where: str
) -> None:
    """What jobs and the other states of their machine must not have in common."""
    if definition.get("QueryLanguage") != "JSONata":
        raise BlueprintError(f"{where}: {NODE} requires `QueryLanguage: JSONata`")
    own = [name for name in definition["States"] if name not in jobs and name not in registrations]
    made = {*SHARED_STATES, *(job.of_its_own(suffix) for job in jobs.values() for suffix in OWN_STATES)}
    made |= {one.of_its_own(suffix) for one in registrations.values() for suffix in register_states.SUFFIXES if suffix}
    for name in definition["States"]:
        if name in made:
            raise BlueprintError(f"{where}/{name} has the name of a state that {NODE} generates")
    longest = _LONGEST_STATE - max(map(len, OWN_STATES))
    for name in jobs:
        if len(name) > longest:
            raise BlueprintError(f"{where}/{name} is longer than {longest} characters, and {NODE} adds to it")
        if not re.fullmatch("[A-Z][A-Za-z0-9_]*", name):
            raise BlueprintError(
                f"{where}/{name} must begin with an uppercase letter and consist of letters, digits and underscores: "
                f"the variable ${name} is the job's description"
            )
    reserved = {*VARIABLES, *jobs}
    for name in own:
        state = definition["States"][name]
        assigned = state.get("Assign") if isinstance(state, dict) else None
        taken = reserved & set(assigned) if isinstance(assigned, dict) else ()
        if taken:
            raise BlueprintError(f"{where}/{name}/Assign assigns {min(taken)!r}, a variable that {NODE} uses")
    if any(NODE in state for state in _nested(definition["States"])):
        raise BlueprintError(f"{where}: {NODE} is not supported inside Parallel and Map states")


def _nested(states: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The states of branches and maps."""
    for state in states.values():
        inner: list[Any] = []
        match state:
            case {"Branches": [*branches]}:
                inner = branches
            case {"ItemProcessor": dict() as processor}:
                inner = [processor]
        for machine in inner:
            match machine:
                case {"States": dict() as found}:
                    yield from (one for one in found.values() if isinstance(one, dict))
                    yield from _nested(found)


def _led(node: Any, begins: Mapping[str, str]) -> Any:
    """A state with each way to a RunJob state leading to the first of those made of it."""
    if isinstance(node, list):
        return [_led(item, begins) for item in node]
    if not isinstance(node, dict):
        return node
    led = {key: value if key in DATA else _led(value, begins) for key, value in node.items()}
    for key in ("Next", "Default"):
        if isinstance(led.get(key), str):
            led[key] = begins.get(led[key], led[key])
    return led


# --- the policy ----------------------------------------------------------------------------------------------


def _policy(jobs: Iterable[Job], template: Template, more: list[Any]) -> Template:
    """What the state machine's role needs for its jobs, and more statements."""
    kinds = {job.kind.key: job.kind for job in jobs}.values()
    statements: list[Any] = [
        {
            "Sid": f"Run{kind.key}s",
            "Effect": "Allow",
            "Action": list(kind.actions),
            "Resource": _arn("sagemaker", f"{kind.arn}/*"),
        }
        for kind in kinds
    ]
    roles = [{"Fn::GetAtt": [role, "Arn"]} for role in dict.fromkeys(job.role for job in jobs) if role]
    if roles:
        statements.append(
            {
                "Sid": "PassJobRole",
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": roles if len(roles) > 1 else roles[0],
                "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            }
        )
    if VOLUME_KEY in template.get("Parameters", {}) or ("Ref", VOLUME_KEY) in references.lost(template):
        statements.append({INCLUDE: VOLUME_KEY_STATEMENTS})
    rules = [_arn("events", f"rule/{kind.events_rule}") for kind in kinds if kind.events_rule]
    if rules:
        statements.append(
            {
                "Sid": "WaitForJobs",
                "Effect": "Allow",
                "Action": ["events:PutRule", "events:PutTargets", "events:DescribeRule"],
                "Resource": rules if len(rules) > 1 else rules[0],
            }
        )
    statements += more
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "PolicyName": "run-jobs",
            "Roles": [{"Ref": ROLE}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
        },
    }


def _arn(service: str, resource: str) -> Template:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}"}
