# SPDX-License-Identifier: Apache-2.0
"""Law 1: a blueprint is a folder. One dropped into a catalogue is built, installed, requested and run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.api.installed import build, installed
from tests.local.laptop import start_account, stop_account

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"

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


def test_a_dropped_folder_is_a_pipeline_type(tmp_path: Path) -> None:
    folder = shutil.copytree(BLUEPRINTS, tmp_path / "blueprints") / "greeting"
    folder.mkdir()
    (folder / "blueprint.yaml").write_text(MANIFEST)
    (folder / "request.schema.json").write_text(json.dumps(SCHEMA))
    (folder / "template.yaml").write_text(TEMPLATE)
    account = start_account()
    try:
        assets = build(tmp_path / "build", "--blueprints", str(tmp_path / "blueprints"))
        api = installed(account.endpoint, account.session, assets)

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
    finally:
        stop_account(account)
