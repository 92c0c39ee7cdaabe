# SPDX-License-Identifier: Apache-2.0
"""`make templates` refuses what the build, the laptop or cfn-lint would refuse later, and says in which line it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlops.lint.__main__ import main

ROOT = Path(__file__).parents[2]
MANIFEST = """
summary: Keep a note.
identity: /model_name
delivery: home
pipeline_types:
  note: {stack_suffix: Note, required: [model_name, text]}
parameters:
  Text: {from: /text}
  PermissionsBoundaryArn: {setting: permissions_boundary_arn}
  RolePath: {setting: role_path}
"""
SCHEMA = {
    "properties": {
        "model_name": {"$ref": "#/$defs/model_name"},
        "text": {"type": "string", "description": "What is noted.", "maxLength": 100, "examples": ["Hello"]},
    }
}
TEMPLATE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Path: !Ref RolePath
      PermissionsBoundary: !Ref PermissionsBoundaryArn
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Action: sts:AssumeRole, Principal: {Service: lambda.amazonaws.com}}]
  Log:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: 7}
Outputs:
  Text: {Description: What was noted, Value: !Ref Text}
"""
EXAMPLE = {"pipeline_type": "note", "model_name": "mine", "text": "Hello"}
Made = Callable[..., tuple[int, str]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Runs `make templates` on a folder of one blueprint, `note`: how it ended, and what it said."""

    def make(
        manifest: str = MANIFEST,
        schema: object = SCHEMA,
        template: str = TEMPLATE,
        examples: dict[str, object] | None = None,
        permissions: str = "",
    ) -> tuple[int, str]:
        folder = tmp_path / "blueprints" / "note"
        (folder / "examples").mkdir(parents=True)
        shutil.copytree(ROOT / "blueprints" / "_parts", tmp_path / "blueprints" / "_parts")
        (folder / "blueprint.yaml").write_text(manifest)
        (folder / "request.schema.json").write_text(json.dumps(schema))
        (folder / "template.yaml").write_text(template)
        if permissions:
            (folder / "permissions.yaml").write_text(permissions)
        for name, body in ({"note.json": EXAMPLE} if examples is None else examples).items():
            (folder / "examples" / name).write_text(body if isinstance(body, str) else json.dumps(body))
        ran = CliRunner().invoke(main, ["--blueprints", str(folder.parent), "--out", str(tmp_path / "out")])
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran.exit_code, ran.stderr

    return make


def test_a_sound_blueprint_is_taken(made: Made) -> None:
    assert made() == (0, "")


def test_the_blueprints_here_are_taken(tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, ["--blueprints", str(ROOT / "blueprints"), "--out", str(tmp_path)])
    assert (ran.exit_code, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("RetentionInDays: 7", "RetentionInDay: 7", "template.yaml:13: Resources/Log/Properties/RetentionInDay: "),
        ("RetentionInDays: 7", "RetentionInDays: 8", "template.yaml:13: Resources/Log/Properties/RetentionInDays: 8"),
        ("AWS::Logs::LogGroup", "AWS::Logs::LogGrup", "template.yaml:12: Resources/Log/Type: Resource type"),
        ("AWS::Logs::LogGroup", "AWS::Logs::LogGrup", "template.yaml:11: Resources/Log is an AWS::Logs::LogGrup"),
        ("{RetentionInDays: 7}", "[7]", "template.yaml: Resources/Log/Properties is not a mapping"),
        ("      PermissionsBoundary: !Ref PermissionsBoundaryArn\n", "", "yaml:3: Resources/Role has no bound"),
        ("      Path: !Ref RolePath\n", "", "yaml:3: Resources/Role has no path of the deployment"),
        ("      PermissionsB", "      RoleName: x\n      PermissionsB", "yaml:3: Resources/Role has a RoleName"),
        ("    Type: AWS::IAM::Role", "    Type: AWS::IAM::User", "a blueprint can create only roles"),
        ("Value: !Ref Text", "Value: text", "note/blueprint.yaml: Parameters/Text: Parameter Text not used"),
        ("Resources:", "Resources: 7\nOutput:", "template.yaml: Resources is no mapping"),
        ("!Ref Text", "!Reff Text", "template.yaml:15: Outputs/Text/Value"),
        ("!Ref Text", "!Sub [7]", "template.yaml:15: Outputs/Text/Value"),
        ("\n  Log:", "\n\tLog:", "template.yaml: while scanning"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_template_is_told_with_its_line(made: Made, old: str, new: str, told: str) -> None:
    assert old in TEMPLATE
    ended, said = made(template=TEMPLATE.replace(old, new))
    assert ended == 1
    assert told in said


@pytest.mark.parametrize(
    ("examples", "told"),
    [
        ({}, "note/examples/note.json is missing: a request for note"),
        ({"other.json": EXAMPLE}, "note/examples/note.json is missing"),
        ({"note.json": "{"}, "note/examples/note.json: invalid JSON"),
        ({"note.json": {**EXAMPLE, "text": 7}}, "note/examples/note.json: /text is 7, a number, not a string"),
        ({"note.json": {**EXAMPLE, "txt": "x"}}, "note/examples/note.json: /txt is an unknown key"),
        (
            {"note.json": {**EXAMPLE, "pipeline_type": "nt"}},
            "/pipeline_type 'nt' is not a pipeline type of this deployment",
        ),
    ],
)
def test_an_example_that_is_missing_or_wrong_is_told(made: Made, examples: dict[str, object], told: str) -> None:
    ended, said = made(examples=examples)
    assert ended == 1
    assert told in said


def test_a_look_up_that_needs_what_a_request_may_leave_out_is_told(made: Made) -> None:
    """It would be a 500 for every such request."""
    parameters = "parameters:\n  Image: {lookup: training_image}"
    ended, said = made(manifest=MANIFEST.replace("parameters:", parameters))
    assert ended == 1
    assert "note/blueprint.yaml: a lookup reads /model_framework, which a request may omit" in said


def test_a_resource_type_of_its_own_needs_its_permissions(made: Made) -> None:
    table = "  Log:\n    Type: AWS::SSM::Parameter\n    Properties: {Type: String, Value: !Ref Text}\n"
    start, end = TEMPLATE.index("  Log:"), TEMPLATE.index("Outputs:")
    permissions = "AWS::SSM::Parameter: {Statement: [{Effect: Allow, Action: ssm:PutParameter, Resource: '*'}]}"
    template = TEMPLATE[:start] + table + TEMPLATE[end:]
    assert made(template=template, permissions=permissions) == (0, "")


def test_a_delivery_template_that_a_request_cannot_hold_is_told(made: Made, tmp_path: Path) -> None:
    delivery = tmp_path / "blueprints" / "delivery"
    shutil.copytree(ROOT / "blueprints" / "delivery", delivery)
    with (delivery / "single.yaml").open("a") as template:
        template.write(f"Metadata: {{Note: '{'x' * 51_200}'}}\n")
    ended, said = made()
    assert ended == 1
    assert "delivery/single.yaml: has 5" in said
    assert "at most 51,200" in said


def test_every_mistake_is_told_at_once(made: Made) -> None:
    template = TEMPLATE.replace("RetentionInDays", "RetentionInDay").replace("Description:", "Descripton:")
    ended, said = made(template=template, examples={})
    assert ended == 1
    for told in ("3 problems:", "RetentionInDay", "Descripton", "examples/note.json is missing"):
        assert told in said


JOB = """
Include: [state_machine]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Include: sagemaker_role
      Policies:
        - PolicyName: note
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Include: [logs, metrics]
              - {Sid: List, Effect: Allow, Action: s3:ListBucket, Resource: !Ref Text}
  MLOpsStateMachine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt StateMachineRole.Arn
      Definition:
        QueryLanguage: JSONata
        StartAt: Train
        States:
          Train:
            RunJob:
              Kind: TrainingJob
              Name: !Ref ModelName
              Role: Role
              Arguments:
                OutputDataConfig: {S3OutputPath: !Ref Text}
            End: true
"""


def test_a_job_of_its_own_is_taken(made: Made) -> None:
    assert made(template=JOB) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "PolicyDocument:",
            "PolicyDocumen:",
            "note/template.yaml: the policies of Role are not written as IAM takes them",
        ),
        ("Action: s3:", "Act: s3:", "note/template.yaml: the policies of Role are not written as IAM takes them"),
        ("S3OutputPath: ", "S3OutPath: ", "note/template.yaml:29: Resources/MLOpsStateMachine/"),
        ("Kind: TrainingJob", "Kind: TransJob", "States/Train/RunJob/Kind 'TransJob' is not one of"),
        ("              Role: Role\n", "", "States/Train/RunJob/Role must be the logical ID of an AWS::IAM::Role"),
        ("S3OutputPath: !Ref Text", 'S3OutputPath: "{% $x( %}"', "note/template.yaml:29: "),
        ("Version: ", "Versions: ", "note/template.yaml:11: "),
        ("Action: s3:ListBucket", "Actions: s3:ListBucket", "note/template.yaml:14: "),
        ("[logs, metrics]", "[log, metrics]", "note/template.yaml includes 'log', which is not in _parts"),
        ("!Ref Text", "!Ref Texts", "undefined names: Ref Texts"),
    ],
)
def test_a_mistake_beside_parts_and_in_a_job_is_told_with_its_line(made: Made, old: str, new: str, told: str) -> None:
    assert old in JOB
    ended, said = made(template=JOB.replace(old, new))
    assert ended == 1
    assert told in said


def test_a_mistake_in_a_part_is_told_with_the_parts_line(made: Made, tmp_path: Path) -> None:
    ended, _ = made(template=JOB)
    assert ended == 0
    part = tmp_path / "blueprints" / "_parts" / "logs.yaml"
    part.write_text(part.read_text().replace("Effect: Allow", "Effects: Allow"))
    ran = CliRunner().invoke(main, ["--blueprints", str(tmp_path / "blueprints"), "--out", str(tmp_path / "out")])
    assert "_parts/logs.yaml:3: Resources/Role/Properties/Policies/0/PolicyDocument/Statement/0" in ran.stderr
