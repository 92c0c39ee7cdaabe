# SPDX-License-Identifier: Apache-2.0
"""What `mlops` does without an account: checks requests, and tells what is wrong kindly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mlops.cli import main

EXAMPLES = Path(__file__).parents[2] / "blueprints"
TRAINING = EXAMPLES / "model_training" / "examples" / "model_training_builtin.json"
DEMO = Path(__file__).parents[2] / "source" / "mlops" / "demo" / "requests"
COMMANDS = [
    "completion",
    "delete",
    "explain",
    "history",
    "init",
    "install",
    "invoke",
    "list",
    "local down",
    "local env",
    "local reset",
    "local status",
    "local up",
    "logs",
    "models approve",
    "models list",
    "models reject",
    "models show",
    "provision",
    "run",
    "status",
    "stop",
    "types",
    "validate",
]


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, no configuration, no region."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "MLOPS_API_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def mlops(*arguments: str | Path, given: str = "") -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=given)


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*/examples/*.json")), ids=lambda path: path.stem)
def test_every_example_is_valid(example: Path) -> None:
    registry = ["--registry"] if example.stem.endswith(".registry") else []
    done = mlops("validate", example, *registry)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("request_file", sorted(DEMO.glob("*.json")), ids=lambda path: path.stem)
def test_the_demos_requests_are_valid(request_file: Path) -> None:
    done = mlops("validate", request_file)
    assert done.exit_code == 0, done.output


def test_all_problems_are_told_with_their_paths_and_hints() -> None:
    wrong = json.loads(TRAINING.read_text("utf-8")) | {
        "model_framework": "xgbost",
        "instance_count": "many",
        "trainig_data": "x",
    }
    done = mlops("validate", "-", given=json.dumps(wrong))
    assert done.exit_code == 1
    for part in ("3 problems", "/model_framework", "'xgboost'", "/instance_count", "/trainig_data", "'training_data'"):
        assert part in done.stderr
    assert done.stdout == ""


def test_with_json_the_answer_is_the_apis() -> None:
    done = mlops("validate", "-", "--json", given='{"pipeline_type": "nothing"}')
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["errors"][0]["path"] == "/pipeline_type"
    assert {"path", "code", "problem", "hint"} == set(answer["errors"][0])


def test_what_will_be_deployed_is_told() -> None:
    answer = json.loads(mlops("--json", "validate", TRAINING).stdout)
    assert answer["name"] == "mlops-pipeline-churn-xgboost-modeltraining"
    assert answer["parameters"]["ImageUri"].endswith("/sagemaker-xgboost:1.7-1")


def test_what_only_a_deployment_knows_is_a_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    answer = json.loads(mlops("--json", "validate", TRAINING).stdout)
    assert answer["parameters"]["AssetsBucket"] == "<assets-bucket>"
    assert answer["not_checked_for"] == "No AWS credentials found"
    assert "without a deployment: No AWS credentials found" in mlops("validate", TRAINING).stderr
    assert mlops("validate", TRAINING, "--offline").stderr == ""


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "[" * 100_000, '{"a": NaN}', "\x00"])
def test_a_body_that_is_no_request(body: str) -> None:
    done = mlops("validate", "-", given=body)
    assert done.exit_code == 1
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["status", "x"], {}, "No AWS Region is set"),
        (["status", "x", "--region", "us-east-1"], {}, "No AWS credentials found"),
        (["status", "x", "--profile", "nobody"], {}, "could not be found"),
        (
            ["status", "x", "--region", "us-east-1", "--endpoint-url", "http://127.0.0.1:1"],
            {"KEY": "1"},
            "start the laptop account: mlops local up",
        ),
        (["invoke", "x", "--data", "-", "--region", "us-east-1"], {}, "No AWS credentials found"),
    ],
)
def test_without_an_account(
    arguments: list[str], environment: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if environment:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "1")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "2")
    done = mlops(*arguments)
    assert done.exit_code == 1
    assert told in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["provision", "no-such-file"],
        ["run"],
        ["local", "up", "--port", "x"],
        ["--endpoint-url", "notaurl", "status", "x"],
    ],
)
def test_wrong_usage_is_exit_code_2_and_with_json_told_in_json(arguments: list[str]) -> None:
    assert mlops(*arguments).exit_code == 2
    for place in (["--json", *arguments], [*arguments, "--json"]):
        done = mlops(*place)
        assert done.exit_code == 2
        assert json.loads(done.stdout).keys() == {"message", "hint"}


@pytest.mark.parametrize("option", ["--endpoint-url", "--api-url"])
def test_an_option_that_is_no_url_is_said_so(option: str) -> None:
    told = mlops(option, "notaurl", "status", "x")
    assert told.exit_code == 2
    assert "'notaurl' is not a URL" in told.output


def test_an_endpoint_in_the_environment_that_is_no_url_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "notaurl")
    told = mlops("status", "x", "--region", "us-east-1")
    assert told.exit_code == 1
    assert "Invalid endpoint: notaurl" in told.stderr
    assert "defect" not in told.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = mlops(*command.split(), "--help")
    assert done.exit_code == 0
    assert f"mlops {command}" in done.output.split("Example:")[1]


@pytest.mark.parametrize("group", [[], ["local"], ["models"]])
def test_no_summary_of_a_command_is_cut(group: list[str]) -> None:
    done = CliRunner().invoke(main, [*group, "--help"], terminal_width=78)
    assert "..." not in done.output.split("Commands:")[1]


def test_no_command_is_forgotten_here() -> None:
    names: set[str] = set()
    for name, command in main.commands.items():
        inner: dict[str, Any] = getattr(command, "commands", {})
        names |= {f"{name} {sub}" for sub in inner} or {name}
    assert names == set(COMMANDS)


def test_a_defect_is_a_sentence_and_with_debug_a_traceback() -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    command = main.commands["validate"]
    kept, command.callback = command.callback, broken
    try:
        plain, debug = mlops("validate", TRAINING), mlops("--debug", "validate", TRAINING)
    finally:
        command.callback = kept
    assert plain.exit_code == 1
    assert "RuntimeError: broken" in plain.stderr
    assert isinstance(debug.exception, RuntimeError)
