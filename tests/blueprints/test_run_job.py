# SPDX-License-Identifier: Apache-2.0
"""RunJob: for each kind of job, the states that run it and the policy for them; what does not fit is refused."""

from __future__ import annotations

import copy
import datetime
import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from chalicelib.job_kinds import JOB_KINDS, JobKind
from jsonata import Jsonata
from mlops.deploy import permissions
from mlops.lint import state_machines
from mlops.templates import includes, references, run_job
from mlops.templates.folder import BlueprintError, read_parts
from mlops.templates.job_states import OWN_STATES, SHARED_STATES, expression

PARTS = read_parts(Path(__file__).parents[2] / "blueprints").pieces
MODEL = botocore.session.get_session().get_service_model("sagemaker")
each_kind = pytest.mark.parametrize("kind", JOB_KINDS.values(), ids=JOB_KINDS)


def job(kind: JobKind, **changes: Any) -> dict[str, Any]:
    """A RunJob with the least that its request needs, computed."""
    shape = MODEL.operation_model(kind.create).input_shape
    own = {kind.name, kind.role.partition(".")[0] or "ModelName"}
    needed = ", ".join(f"'{name}': $request.x" for name in shape.required_members if name not in own)
    owner = {"Role": "Role"} if kind.role else {"Model": "Model"}
    return {"Kind": kind.key, "Name": {"Ref": "Name"}, **owner, "Arguments": f"{{% {{ {needed} }} %}}", **changes}


def template(*states: tuple[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role"},
            "Model": {"Type": "AWS::SageMaker::Model"},
            "StateMachineRole": {"Type": "AWS::IAM::Role"},
            "MLOpsStateMachine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": {"Fn::GetAtt": ["StateMachineRole", "Arn"]},
                    "Definition": {"QueryLanguage": "JSONata", "StartAt": states[0][0], "States": dict(states), **more},
                },
            },
        }
    }


def expanded(*states: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    made, _ = run_job.expand(template(*states), "x")
    found: dict[str, Any] = includes.resolve(made, PARTS, "x")
    return found


def definition(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["Resources"]["MLOpsStateMachine"]["Properties"]["Definition"]
    return found


def targets(state: dict[str, Any]) -> set[str]:
    found = {state[key] for key in ("Next", "Default") if key in state}
    for one in (*state.get("Catch", []), *state.get("Choices", [])):
        found.add(one["Next"])
    return found


def reached(states: dict[str, Any], start: str) -> set[str]:
    """Every state that a machine can come to."""
    found: set[str] = set()
    ahead = {start}
    while ahead:
        name = ahead.pop()
        found.add(name)
        ahead |= targets(states[name]) - found
    return found


@each_kind
def test_the_states_of_a_kind_lead_to_each_other_and_call_what_exists(kind: JobKind) -> None:
    made = expanded(("Work", {"RunJob": job(kind), "End": True}))
    machine = definition(made)
    assert machine["StartAt"] == "WorkBegin"
    assert set(machine["States"]) == {"Work", *(f"Work{one}" for one in OWN_STATES), *SHARED_STATES}
    assert reached(machine["States"], machine["StartAt"]) == set(machine["States"])
    assert list(state_machines.problems(made)) == []


@each_kind
def test_a_state_machine_may_do_to_a_kind_what_its_states_do(kind: JobKind) -> None:
    made = expanded(("Work", {"RunJob": job(kind), "End": True}))
    statements = made["Resources"]["JobPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = {action: one for one in statements for action in permissions._listed(one["Action"])}
    assert {f"sagemaker:{kind.create}", f"sagemaker:{kind.describe}"} <= set(allowed)
    assert f":{kind.arn}/*" in allowed[f"sagemaker:{kind.create}"]["Resource"]["Fn::Sub"]
    assert ("iam:PassRole" in allowed) == bool(kind.role)
    if kind.role:
        assert allowed["iam:PassRole"]["Resource"] == {"Fn::GetAtt": ["Role", "Arn"]}
        passed_to = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
        assert allowed["iam:PassRole"]["Condition"] == passed_to
    assert ("events:PutRule" in allowed) == (kind.key != "AutoMLJob")
    if kind.key != "AutoMLJob":
        assert allowed["events:PutRule"]["Resource"]["Fn::Sub"].endswith(f":rule/{kind.events_rule}")
    assert not [one for one in statements if "kms" in json.dumps(one)]


def test_the_key_of_volumes_is_granted_where_a_template_has_one() -> None:
    training = JOB_KINDS["TrainingJob"]
    passed = {"Type": "Pass", "Assign": {"request": {"key": {"Ref": "VolumeKmsKeyArn"}}}, "Next": "Work"}
    made = expanded(("Request", passed), ("Work", {"RunJob": job(training), "End": True}))
    policy = made["Resources"]["JobPolicy"]
    assert [one["Fn::If"][0] for one in policy["Properties"]["PolicyDocument"]["Statement"] if "Fn::If" in one] == [
        "HasVolumeKmsKey",
        "HasVolumeKmsKey",
    ]
    assert ("Condition", "HasVolumeKmsKey") in references.lost(made)


def test_jobs_one_after_another_share_one_ending_and_one_policy() -> None:
    training, processing, automl = (JOB_KINDS[key] for key in ("TrainingJob", "ProcessingJob", "AutoMLJob"))
    made = expanded(
        ("Train", {"RunJob": job(training), "Next": "Choose"}),
        ("Choose", {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "Check"}], "Default": "Search"}),
        ("Check", {"RunJob": job(processing), "End": True}),
        ("Search", {"RunJob": job(automl, Name={"Ref": "Other"}), "End": True}),
    )
    machine = definition(made)
    states = machine["States"]
    assert reached(states, machine["StartAt"]) == set(states)
    assert targets(states["Choose"]) == {"CheckBegin", "SearchBegin"}
    assert states["Train"]["Next"] == states["TrainStatus"]["Choices"][0]["Next"] == "Choose"
    assert states["Check"]["Next"] == "NotifySuccess"
    assert states["Search"]["Next"] == "SearchWait"
    assert list(state_machines.problems(made)) == []
    statements = made["Resources"]["JobPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (rules,) = [one["Resource"] for one in statements if one["Sid"] == "WaitForJobs"]
    assert len(rules) == 2


def test_a_name_may_be_as_long_as_the_shortest_limit_of_the_jobs_it_is_for() -> None:
    training, tuning = JOB_KINDS["TrainingJob"], JOB_KINDS["HyperParameterTuningJob"]
    made, limits = run_job.expand(
        template(
            ("Tune", {"RunJob": job(tuning), "Next": "Train"}),
            ("Train", {"RunJob": job(training), "End": True}),
        ),
        "x",
    )
    assert limits == {"Name": 32}
    states = definition(made)["States"]
    assert "$substring($job.name, 0, 23)" in states["TunePickName"]["Assign"]["job"]
    assert "$substring($job.name, 0, 54)" in states["TrainPickName"]["Assign"]["job"]


TRAINING = job(JOB_KINDS["TrainingJob"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Kind": "TraningJob"}, "Train/RunJob/Kind 'TraningJob' is not one of TrainingJob, "),
        ({"Kynd": "TrainingJob"}, "Train/RunJob/Kynd is an unknown key (did you mean 'Kind'?)"),
        ({"Role": "Model"}, "Train/RunJob/Role must be the logical ID of an AWS::IAM::Role"),
        ({"Role": None}, "Train/RunJob/Role must be the logical ID of an AWS::IAM::Role"),
        ({"Model": "Model"}, "Train/RunJob has a Model; a TrainingJob requires a Role instead"),
        ({"Kind": "TransformJob"}, "Train/RunJob has a Role; a TransformJob requires a Model instead"),
        ({"Name": ""}, "Train/RunJob has no Name"),
        ({"Arguments": "$x"}, "Train/RunJob/Arguments must be a mapping or a JSONata expression"),
        ({"Arguments": {"RoleArn": "x"}}, "Train/RunJob/Arguments contains RoleArn, which RunJob sets"),
        ({"Arguments": [1]}, "Train/RunJob/Arguments must be a mapping or a JSONata expression"),
    ],
)
def test_what_a_run_job_lacks_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BlueprintError) as refused:
        run_job.expand(template(("Train", {"RunJob": {**TRAINING, **changes}, "End": True})), "note/template.yaml")
    assert str(refused.value).startswith("note/template.yaml: Resources/MLOpsStateMachine/Properties/Definition/States")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([("Train", {"RunJob": TRAINING})], "Train/RunJob requires either `Next` or `End: true`"),
        ([("Train", {"RunJob": TRAINING, "End": True, "Retry": []})], "Train/Retry is an unknown key"),
        ([("Train", {"RunJob": [], "End": True})], "Train/RunJob is not a mapping"),
        ([("job", {"RunJob": TRAINING, "End": True})], "/job must begin with an uppercase letter"),
        ([("Train it", {"RunJob": TRAINING, "End": True})], "/Train it must begin with an uppercase letter"),
        ([("T" * 75, {"RunJob": TRAINING, "End": True})], "is longer than"),
        (
            [("Train", {"RunJob": TRAINING, "End": True}), ("TrainWait", {"Type": "Succeed"})],
            "/TrainWait has the name of a state that RunJob generates",
        ),
        (
            [("Train", {"RunJob": TRAINING, "End": True}), ("P", {"Type": "Pass", "Assign": {"cause": 1}})],
            "/P/Assign assigns 'cause', a variable that RunJob uses",
        ),
        (
            [
                ("Train", {"RunJob": TRAINING, "End": True}),
                ("P", {"Type": "Parallel", "Branches": [{"States": {"In": {"RunJob": TRAINING, "End": True}}}]}),
            ],
            "RunJob is not supported inside Parallel and Map states",
        ),
    ],
)
def test_what_jobs_and_their_machine_do_not_go_together_in_is_told(states: list[Any], told: str) -> None:
    with pytest.raises(BlueprintError) as refused:
        run_job.expand(template(*states), "x")
    assert told in str(refused.value)


def test_an_ending_that_nothing_leads_to_is_left_out() -> None:
    quiet = expanded(("Train", {"RunJob": TRAINING, "Next": "Quiet"}), ("Quiet", {"Type": "Succeed"}))
    machine = definition(quiet)
    assert reached(machine["States"], machine["StartAt"]) == set(machine["States"])
    assert "NotifySuccess" not in machine["States"]


def test_a_template_without_the_part_of_state_machines_is_refused() -> None:
    bare = template(("Train", {"RunJob": TRAINING, "End": True}))
    del bare["Resources"]["StateMachineRole"]
    with pytest.raises(BlueprintError, match=r"Include: \[state_machine\]"):
        run_job.expand(bare, "x")


def test_a_machine_of_another_language_is_refused() -> None:
    with pytest.raises(BlueprintError, match="QueryLanguage: JSONata"):
        run_job.expand(template(("T", {"RunJob": TRAINING, "End": True}), QueryLanguage="JSONPath"), "x")


MAPPED: dict[str, Any] = {
    **TRAINING,
    "Arguments": {
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": {"Ref": "ImageUri"}},
        "OutputDataConfig": {"S3OutputPath": {"Ref": "Out"}},
        "ResourceConfig": {"InstanceCount": 1, "VolumeSizeInGB": 10},
        "HyperParameters": {"rounds": "1"},
    },
}


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("OutputDataConfig/S3OutputPath", "{% $a ? 'x' %}", "returns nothing if the condition is false"),
        ("OutputDataConfig/S3OutputPat", "x", "'S3OutputPat' is not a member of OutputDataConfig (did you mean"),
        ("OutputDataConfig", {}, "OutputDataConfig is missing 'S3OutputPath'"),
        ("OutputDataConfig", "{% {'KmsKeyId': 'x'} %}", "OutputDataConfig is missing 'S3OutputPath'"),
        ("ResourceConfig/InstanceCount", {"Ref": "Count"}, "is a string, like every value from CloudFormation"),
        ("ResourceConfig/InstanceCount", "1", "'1' is not a number"),
        ("ResourceConfig", "{% {'InstanceCount': 'one'} %}", "InstanceCount: 'one' is not a number"),
        ("AlgorithmSpecification/TrainingInputMode", "Fil", "'Fil' is not a value of TrainingInputMode (did you mean"),
        ("HyperParameters/rounds", 1, "1 is not a string"),
        ("HyperParameters/rounds", "{% $string( %}", "is not valid JSONata"),
        ("HyperParameters/rounds", {"Fn::Sub": "{% $x & '${Y}' %}"}, "inserts a value into an expression"),
        ("InputDataConfig", [{"ChannelName": "train"}], "is missing 'DataSource'"),
    ],
)
def test_arguments_that_sagemaker_would_refuse_are_told_with_their_path(path: str, value: Any, told: str) -> None:
    node = copy.deepcopy(MAPPED)
    at = node["Arguments"]
    *above, last = path.split("/")
    for key in above:
        at = at[key]
    at[last] = value
    made = expanded(("Train", {"RunJob": node, "End": True}))
    (found, *_) = [(where, problem) for where, problem in state_machines.problems(made) if told in problem]
    assert "/".join(map(str, found[0])).startswith("Resources/MLOpsStateMachine/Properties/Definition/States/Train/")


def test_sound_arguments_are_taken() -> None:
    made = expanded(("Train", {"RunJob": MAPPED, "End": True}))
    assert list(state_machines.problems(made)) == []
    arguments = definition(made)["States"]["Train"]["Arguments"]
    assert (arguments["TrainingJobName"], arguments["RoleArn"]) == ("{% $job.name %}", "{% $job.owner %}")


# --- what the expressions compute ----------------------------------------------------------------------------


def computed(text: str, **variables: Any) -> Any:
    """What an expression of a state gives, in a state machine whose execution began at noon."""
    inside = expression(text)
    assert inside is not None
    compiled = Jsonata(inside)
    compiled.register_lambda("parse", json.loads)  # Step Functions' own
    states = {"context": {"Execution": {"StartTime": "2026-01-31T12:00:00Z"}}, **variables.pop("states", {})}
    for name, value in {"states": states, **variables}.items():
        compiled.assign(name, value)
    return compiled.evaluate(None)


def at(document: Any, path: str) -> Any:
    for key in path.split("."):
        document = document[key]
    return document


def described(kind: JobKind, status: str, created: str, owner: str = "owner") -> dict[str, Any]:
    found: dict[str, Any] = {kind.status: status, "CreationTime": created}
    inner = found
    *above, last = (kind.role or "ModelName").split(".")
    for key in above:
        inner = inner.setdefault(key, {})
    inner[last] = owner
    return found


@each_kind
def test_name_and_owner_are_where_a_request_has_them(kind: JobKind) -> None:
    made = expanded(("Work", {"RunJob": job(kind, Arguments="{% $request %}"), "End": True}))
    top = kind.role.partition(".")[0]
    given = {"Kept": 1, **({top: {"Kept": 2}} if "." in kind.role else {})}
    arguments = computed(
        definition(made)["States"]["Work"]["Arguments"], request=given, job={"name": "it", "owner": "owner"}
    )
    assert arguments["Kept"] == 1
    assert arguments[kind.name] == "it"
    assert at(arguments, kind.role or "ModelName") == "owner"
    if "." in kind.role:
        assert arguments[top]["Kept"] == 2


@each_kind
@pytest.mark.parametrize(
    ("status", "time", "owner", "created", "comes_to"),
    [
        ("Completed", "12:00:01", "owner", False, "Completed"),
        ("InProgress", "12:00:01", "owner", False, "InProgress"),
        ("Completed", "11:59:59", "owner", False, "Foreign"),
        ("Completed", "12:00:01", "another", False, "Foreign"),
        ("Completed", "11:59:59", "owner", True, "Completed"),
        ("Failed", "12:00:01", "owner", False, "Failed"),
        ("Failed", "12:00:01", "another", False, "Foreign"),
    ],
)
def test_a_job_that_is_there_is_taken_on_if_it_is_this_runs(
    kind: JobKind, status: str, time: str, owner: str, created: bool, comes_to: str
) -> None:
    assigned = definition(expanded(("Work", {"RunJob": job(kind), "End": True})))["States"]["WorkDescribe"]["Assign"]
    result = described(kind, status, f"2026-01-31T{time}Z", owner)
    variables = {"states": {"result": result}, "job": {"created": created, "owner": "owner"}, "cause": "refused"}
    assert computed(assigned["status"], **copy.deepcopy(variables)) == comes_to
    cause = computed(assigned["cause"], **copy.deepcopy(variables))
    assert (cause == "refused") == (comes_to != "Failed")


def test_waiting_30_days_for_a_job_fits_in_an_executions_history() -> None:
    """30 days is the longest an Autopilot job may run; an execution has at most 25,000 events, and then it fails."""
    states = definition(expanded(("Work", {"RunJob": job(JOB_KINDS["AutoMLJob"]), "End": True})))["States"]
    started = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    spelled = expression(states["WorkWait"]["Seconds"])
    assert spelled is not None
    # Entered and exited, for each state of the loop; and a task is scheduled, started and done.
    round_trip = sum(5 if states[name]["Type"] == "Task" else 2 for name in ("WorkWait", "WorkDescribe", "WorkStatus"))
    context = {"context": {"Execution": {"StartTime": started.isoformat().replace("+00:00", "Z")}}}
    waiting = Jsonata(spelled.replace("$millis()", "$now_"))
    waited, rounds = 0, 0
    while waited < 30 * 24 * 3600:
        seconds = waiting.evaluate(None, {"states": context, "now_": (started.timestamp() + waited) * 1000})
        assert 5 <= seconds <= max(5, waited / 20)
        # Twenty rounds at once: the later of them wait longer still.
        waited, rounds = waited + 20 * seconds, rounds + 20
    assert rounds * round_trip < 24_000


@each_kind
def test_a_failure_is_the_jobs_reason_alone(kind: JobKind) -> None:
    states = definition(expanded(("Work", {"RunJob": job(kind), "End": True})))["States"]
    explain, current = states["Explain"]["Assign"]["reason"], {"kind": kind.key, "label": kind.label, "name": "it"}
    failed = json.dumps({kind.status: "Failed", "FailureReason": "no data"})
    stopped = json.dumps({kind.status: "Stopped"})
    for cause, reason in ((failed, "no data"), (stopped, "the job ended as Stopped"), ("Throttled", "Throttled")):
        assert computed(explain, cause=cause, job=current) == reason
    cut = json.dumps({kind.status: "Failed", "Environment": "x" * 40_000, "FailureReason": "no data"})[:32_768]
    assert computed(explain, cause=cut, job=current) == cut[:30_000]
    assert computed(states["Failed"]["Cause"], job=current, reason="no data") == f"{kind.label} it: no data"
    assert computed(states["Failed"]["Error"], job=current) == f"{kind.key}Failed"


@pytest.mark.parametrize(
    ("error", "cause", "is_free"),
    [
        ("SageMaker.SageMakerException", "Requested resource not found. (Service: SageMaker)", True),
        ("SageMaker.SageMakerException", "Could not find requested job with name: x", True),
        ("SageMaker.ResourceNotFoundException", "Amazon SageMaker can't find a tuning job called x.", True),
        ("SageMaker.ResourceNotFoundException", None, True),
        ("SageMaker.SageMakerException", "Rate exceeded", False),
        ("SageMaker.AccessDeniedException", "User is not authorized to perform: sagemaker:DescribeX", False),
    ],
)
def test_a_name_is_free_where_sagemaker_says_that_no_job_has_it(error: str, cause: str | None, is_free: bool) -> None:
    states = definition(expanded(("Work", {"RunJob": TRAINING, "End": True})))["States"]
    (caught,) = states["WorkFindName"]["Catch"]
    output = {"Error": error, **({"Cause": cause} if cause else {})}
    assert computed(caught["Assign"]["is_free"], states={"errorOutput": output}) is is_free


@pytest.mark.parametrize("kind", ["TrainingJob", "HyperParameterTuningJob"])
def test_a_name_that_is_taken_gets_an_ending_and_keeps_the_limit(kind: str) -> None:
    states = definition(expanded(("Work", {"RunJob": job(JOB_KINDS[kind]), "End": True})))["States"]
    text = states["WorkPickName"]["Assign"]["job"].replace("$uuid()", "'0123456789'")
    limit = {"TrainingJob": 63, "HyperParameterTuningJob": 32}[kind]
    for name, made in (("short", "short-01234567"), ("n" * 70, "n" * (limit - 9) + "-01234567")):
        picked = computed(text, is_free=False, job={"name": name, "owner": "owner"})
        assert picked == {"name": made, "owner": "owner"}
    assert computed(text, is_free=True, job={"name": "short"}) == {"name": "short"}
