# SPDX-License-Identifier: Apache-2.0
"""Law 1: a blueprint is a folder. One dropped into a catalogue is built, installed, requested and run."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chalicelib.job_kinds import JOB_KINDS
from mlops.templates.job_states import Job, shared_states, states_of

from tests.support.builds import build
from tests.support.installed import Installed, installed
from tests.support.laptop import running_account

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
SCHEDULED = Path(__file__).parents[1] / "catalogue" / "scheduled_training"  # of docs/adding-a-blueprint.md

MANIFEST = """
summary: Greet somebody.
identity: /model_name
delivery: home
run: true
pipeline_types:
  greeting: {stack_suffix: Greeting, required: [model_name, whom]}
"""
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Greeting request",
    "type": "object",
    "properties": {
        "model_name": {"$ref": "#/$defs/model_name"},
        "whom": {"type": "string", "description": "Whom to greet.", "pattern": "^[A-Z][a-z]+$", "examples": ["Ada"]},
        "times": {"type": "integer", "description": "How often.", "minimum": 1, "maximum": 3, "default": 2},
    },
}
TEMPLATE = """
Include: [state_machine]
Resources:
  MLOpsStateMachine:
    Type: AWS::StepFunctions::StateMachine
    DependsOn: NotifyPolicy
    Properties:
      RoleArn: !GetAtt StateMachineRole.Arn
      Definition:
        QueryLanguage: JSONata
        StartAt: Greet
        States:
          Greet:
            Type: Pass
            Assign: {whom: !Ref Whom, times: !Ref Times}
            Next: Say
          Say: {Type: Pass, Output: "{% 'Hello, ' & $whom & '!' %}", End: true}
Outputs:
  Greeted: {Description: Who was greeted, Value: !Sub "${Whom} x ${Times}"}
"""


SECOND_JOB = """
          Again:
            RunJob:
              Kind: TrainingJob
              Name: !Ref SecondName
              Role: TrainingRole
              Arguments: >-
                {% {
                  'AlgorithmSpecification': {'TrainingImage': $Train.AlgorithmSpecification.TrainingImage,
                                             'TrainingInputMode': 'File'},
                  'HyperParameters': $Train.HyperParameters,
                  'InputDataConfig': $Train.InputDataConfig[],
                  'OutputDataConfig': {
                    'S3OutputPath': $Train.OutputDataConfig.S3OutputPath & '/' & $Train.TrainingJobName
                  },
                  'ResourceConfig': $Train.ResourceConfig,
                  'StoppingCondition': $Train.StoppingCondition
                } %}
            End: true
"""


def drop_two_jobs(folder: Path) -> None:
    """The example with a second job, made from the description of the first."""

    def changed(name: str, old: str, new: str) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    shutil.copytree(SCHEDULED, folder)
    (folder / "examples" / "scheduled_training.json").unlink()
    changed("template.yaml", "            End: true\n", f"            Next: Again\n{SECOND_JOB}")
    changed("blueprint.yaml", "kind: training}", "kind: first}\n  SecondName: {lookup: job_name, kind: second}")
    changed("blueprint.yaml", "scheduled_training", "two_jobs")
    changed("blueprint.yaml", "ScheduledTraining", "TwoJobs")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """A deployment of the blueprints here and three that were dropped among them."""
    folder = tmp_path_factory.mktemp("dropped")
    blueprints = shutil.copytree(BLUEPRINTS, folder / "blueprints")
    shutil.copytree(SCHEDULED, blueprints / "scheduled_training")
    drop_two_jobs(blueprints / "two_jobs")
    (blueprints / "greeting").mkdir()
    (blueprints / "greeting" / "blueprint.yaml").write_text(MANIFEST)
    (blueprints / "greeting" / "request.schema.json").write_text(json.dumps(SCHEMA))
    (blueprints / "greeting" / "template.yaml").write_text(TEMPLATE)
    with running_account() as account:
        yield installed(account, build(folder / "build", blueprints))


def test_a_dropped_folder_is_a_pipeline_type(api: Installed) -> None:
    refused = api.provision({"pipeline_type": "greeting", "model_name": "hello", "whom": "ada", "tims": 3})
    assert refused.status == 400
    assert [(error["path"], error["hint"]) for error in refused.body["errors"]] == [
        ("/tims", "did you mean 'times'?"),
        ("/whom", 'Whom to greet; for example "Ada"'),
    ]

    answer = api.provision({"pipeline_type": "greeting", "model_name": "hello", "whom": "Ada"})
    assert answer.status == 200, answer.text
    assert answer.body["name"] == "mlops-pipeline-hello-greeting"
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    assert pipeline["outputs"]["Greeted"] == "Ada x 2"
    machine = pipeline["outputs"]["StateMachineArn"]
    (execution,) = api.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    said = api.client("stepfunctions").describe_execution(executionArn=execution["executionArn"])["output"]
    assert json.loads(said) == "Hello, Ada!"


def test_a_dropped_folder_with_a_job_a_role_and_a_schedule_runs(api: Installed) -> None:
    """What docs/adding-a-blueprint.md shows: the delivery pipeline runs it, and so does the schedule."""
    api.put("churn/train.csv", "\n".join(f"{row % 2},{row},{row * 7 % 5}" for row in range(100)))
    at = datetime.now(UTC) + timedelta(seconds=10)
    request = json.loads((SCHEDULED / "examples" / "scheduled_training.json").read_text())
    answer = api.provision({**request, "schedule_expression": f"at({at:%Y-%m-%dT%H:%M:%S})"})
    assert answer.status == 200, answer.text
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    first = pipeline["job"]["name"]
    assert pipeline["job"]["artifact"].startswith(f"s3://{api.assets_bucket}/churn/output/{first}/")

    states = api.client("stepfunctions")
    machine = pipeline["outputs"]["StateMachineArn"]
    deadline = time.monotonic() + 90
    while len(ran := states.list_executions(stateMachineArn=machine)["executions"]) < 2:
        assert time.monotonic() < deadline, "the schedule started nothing"
        time.sleep(0.5)
    newest = max(ran, key=lambda one: one["startDate"])["executionArn"]
    while (execution := states.describe_execution(executionArn=newest))["status"] == "RUNNING":
        time.sleep(0.2)
    assert execution["status"] == "SUCCEEDED", execution["cause"]
    assert execution["startDate"] >= at.replace(microsecond=0)
    second = json.loads(execution["output"])["job"]["name"]
    assert re.fullmatch(f"{first}-[0-9a-f]{{8}}", second)
    described = api.client("sagemaker").describe_training_job(TrainingJobName=second)
    assert described["TrainingJobStatus"] == "Completed"


def test_a_schedule_that_nothing_reads_is_refused_at_the_door(api: Installed) -> None:
    request = json.loads((SCHEDULED / "examples" / "scheduled_training.json").read_text())
    for wrong in ("daily", "rate(1 days)", "cron(0 3 * * * *)", "at(tomorrow)"):
        refused = api.provision({**request, "schedule_expression": wrong})
        assert (refused.status, refused.body["errors"][0]["path"]) == (400, "/schedule_expression"), wrong


def test_a_dropped_folder_runs_one_job_after_another(api: Installed) -> None:
    api.put("twice/train.csv", "\n".join(f"{row % 2},{row},{row * 7 % 5}" for row in range(100)))
    request = json.loads((SCHEDULED / "examples" / "scheduled_training.json").read_text())
    request |= {"pipeline_type": "two_jobs", "model_name": "twice", "training_data": "twice/train.csv"}
    answer = api.provision({**request, "schedule_expression": ""})
    assert answer.status == 200, answer.text
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    second = pipeline["job"]
    assert second["name"].startswith("twice-second-")
    found = api.client("sagemaker").list_training_jobs(
        NameContains="twice-", SortBy="CreationTime", SortOrder="Ascending"
    )
    first, last = (one["TrainingJobName"] for one in found["TrainingJobSummaries"])
    assert (first.startswith("twice-first-"), last) == (True, second["name"])
    assert f"/{first}/{last}/" in second["artifact"]
    assert api.client("scheduler").list_schedules(NamePrefix="mlops-pipeline-twice")["Schedules"] == []


@pytest.mark.parametrize(("data", "ends"), [("twice/train.csv", "SUCCEEDED"), ("nowhere.csv", "FAILED")])
def test_a_job_that_step_functions_cannot_wait_for_is_described_until_it_ends(
    api: Installed, data: str, ends: str
) -> None:
    """The states of Autopilot's jobs, with a kind of job that the laptop computes."""
    states = api.client("stepfunctions")
    (machine,) = [one for one in states.list_state_machines()["stateMachines"] if "twice" in one["name"]]
    deployed = states.describe_state_machine(stateMachineArn=machine["stateMachineArn"])
    definition = json.loads(deployed["definition"])
    owner = definition["States"]["TrainBegin"]["Assign"]["job"]["owner"]
    topic = definition["States"]["NotifySuccess"]["Arguments"]["TopicArn"]
    arguments = definition["States"]["Train"]["Arguments"]
    arguments["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{api.assets_bucket}/{data}"
    kind = replace(JOB_KINDS["TrainingJob"], events="")
    assert kind.integration == "aws-sdk:sagemaker:createTrainingJob"
    name = f"polled-{ends.lower()}"
    job = Job("Work", kind, name, owner, "", arguments, "NotifySuccess", "")
    own = states_of(job, {})
    made = json.dumps(own | shared_states(own))
    made = re.sub(r'\{"Fn::Sub": ("[^"]*")\}', r"\1", made).replace("${AWS::Partition}", "aws")
    made = made.replace('{"Ref": "NotificationsSNSTopicArn"}', json.dumps(topic))
    polling = {"QueryLanguage": "JSONata", "StartAt": "WorkBegin", "States": json.loads(made)}
    created = states.create_state_machine(name=name, definition=json.dumps(polling), roleArn=deployed["roleArn"])
    run = states.start_execution(stateMachineArn=created["stateMachineArn"])["executionArn"]
    while (ended := states.describe_execution(executionArn=run))["status"] == "RUNNING":
        time.sleep(0.2)
    assert ended["status"] == ends, ended
    if ends == "SUCCEEDED":
        assert json.loads(ended["output"]) == {"job": {"kind": "TrainingJob", "name": name}}
    else:
        assert ended["cause"].startswith(f"Training job {name}: ")
        assert "nowhere.csv" in ended["cause"]
