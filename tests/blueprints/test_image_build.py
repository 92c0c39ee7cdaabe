# SPDX-License-Identifier: Apache-2.0
"""The commands that CodeBuild runs for byom_image_builder, run by a real bash with `aws` and `docker` that note their
arguments. As in CodeBuild, one shell runs all of them, and the first that fails ends the build."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from chalicelib.catalog import Catalog
from mlops.local.services.codebuild import buildspec
from mlops.templates import cfn_yaml

REGISTRY = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
AWS_OWN = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
NOTE = """#!/bin/bash
printf '%s\\n' "$(basename "$0")" "$@" "" >> "$NOTES"
"""
AWS = f"""{NOTE}
case "$1 $2" in
  "ecr batch-get-repository-scanning-configuration") echo "$FREQUENCY" ;;
  "ecr get-login-password") echo secret ;;
  "ecr start-image-scan") echo "$SCAN_SAYS"; test -z "$SCAN_SAYS" ;;
esac
"""
DOCKER = f"""{NOTE}
case "$1" in
  login) test "$(cat)" = secret ;;
  build) exit "$BUILD_ENDS" ;;
  inspect) echo "{REGISTRY}/images@sha256:abc" ;;
esac
"""
ALL_IN_ONE_SHELL = """
for file in "$COMMANDS"/*; do
  eval "$(cat "$file")" || { echo "failed: $file"; exit 1; }
done
printf '%s\\n%s\\n' "$IMAGE_URI" "$IMAGE_DIGEST" > "$EXPORTED"
"""


@dataclass(frozen=True)
class Built:
    """What came of a build."""

    ok: bool
    output: str
    calls: list[list[str]]  # of aws and docker
    exported: list[str]

    def of(self, *beginning: str) -> list[list[str]]:
        return [call for call in self.calls if call[: len(beginning)] == list(beginning)]


@pytest.fixture(scope="module")
def project(catalog: Catalog) -> Any:
    template = cfn_yaml.load(catalog.blueprint("image_builder").template)
    return template["Resources"]["ImageBuild"]["Properties"]


@pytest.fixture
def build(project: Any, tmp_path: Path) -> Any:
    """Runs the commands in a folder with a Dockerfile."""
    for name, content in (("aws", AWS), ("docker", DOCKER)):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(content)
        (tmp_path / "bin" / name).chmod(0o755)
    commands = [one for listed in buildspec.commands(project["Source"]["BuildSpec"]).values() for one in listed]
    (tmp_path / "commands").mkdir()
    for number, command in enumerate(commands):
        (tmp_path / "commands" / f"{number:02}").write_text(command)

    def run(dockerfile: str | None = "FROM scratch\n", **environment: str) -> Built:
        (tmp_path / "source").mkdir()
        if dockerfile is not None:
            (tmp_path / "source" / "Dockerfile").write_text(dockerfile)
        notes, exported = tmp_path / "notes", tmp_path / "exported"
        notes.touch()
        given = {
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "NOTES": str(notes),
            "COMMANDS": str(tmp_path / "commands"),
            "EXPORTED": str(exported),
            "REGISTRY": REGISTRY,
            "REPOSITORY": "images",
            "TAG": "v1",
            "FREQUENCY": "SCAN_ON_PUSH",
            "SCAN_SAYS": "",
            "BUILD_ENDS": "0",
            **environment,
        }
        done = subprocess.run(
            ["bash", "-c", ALL_IN_ONE_SHELL],
            cwd=tmp_path / "source",
            env=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        calls = [one.split("\n") for one in notes.read_text().strip("\n").split("\n\n") if one]
        lines = exported.read_text().splitlines() if exported.exists() else []
        return Built(done.returncode == 0, done.stdout + done.stderr, calls, lines)

    return run


def test_it_logs_in_builds_and_pushes(build: Any) -> None:
    built = build()
    assert built.ok, built.output
    assert built.of("docker") == [
        ["docker", "login", "--username", "AWS", "--password-stdin", REGISTRY],
        ["docker", "build", "--tag", f"{REGISTRY}/images:v1", "."],
        ["docker", "push", f"{REGISTRY}/images:v1"],
        ["docker", "inspect", "--format", "{{index .RepoDigests 0}}", f"{REGISTRY}/images:v1"],
    ]
    assert built.of("aws", "ecr", "start-image-scan") == []
    assert built.exported == [f"{REGISTRY}/images:v1", f"{REGISTRY}/images@sha256:abc"]


def test_it_logs_in_to_every_ecr_registry_that_the_dockerfile_names(build: Any) -> None:
    private = "444455556666.dkr.ecr.us-east-1.amazonaws.com"
    built = build(f"FROM {AWS_OWN}/pytorch:2 AS one\nFROM {AWS_OWN}/x\nFROM {private}/base\nFROM python:3.13\n")
    assert built.ok, built.output
    assert [call[-1] for call in built.of("docker", "login")] == sorted([REGISTRY, AWS_OWN, private])


def test_a_repository_that_does_not_scan_is_left_as_it_is_and_the_image_is_scanned(build: Any) -> None:
    built = build(FREQUENCY="MANUAL")
    assert built.ok, built.output
    assert built.calls[-1] == [
        "aws",
        "ecr",
        "start-image-scan",
        "--repository-name",
        "images",
        "--image-id",
        "imageTag=v1",
    ]
    assert [call[2] for call in built.of("aws", "ecr")] == [
        "batch-get-repository-scanning-configuration",
        "get-login-password",
        "start-image-scan",
    ]


@pytest.mark.parametrize(("says", "ok"), [("LimitExceededException: one a day", True), ("AccessDenied", False)])
def test_a_scan_that_cannot_be_started_fails_the_build_unless_there_was_one_today(
    build: Any, says: str, ok: bool
) -> None:
    built = build(FREQUENCY="MANUAL", SCAN_SAYS=says)
    assert built.ok is ok
    assert ok or says in built.output


def test_without_a_dockerfile_nothing_is_built(build: Any) -> None:
    built = build(dockerfile=None)
    assert (built.ok, built.calls) == (False, [])
    assert "The zip has no Dockerfile at its top." in built.output


def test_without_a_repository_nothing_is_built(build: Any) -> None:
    built = build(FREQUENCY="None")
    assert (built.ok, built.of("docker")) == (False, [])
    assert "There is no ECR repository images in this account and Region." in built.output


def test_what_was_not_built_is_not_pushed(build: Any) -> None:
    built = build(BUILD_ENDS="1")
    assert not built.ok
    assert built.of("docker", "push") == []


def test_no_value_is_read_as_a_command(build: Any, tmp_path: Path) -> None:
    """The door admits none of these; the commands do not depend on it."""
    nasty = "a b;touch pwned $(touch pwned) `touch pwned` \"'* "
    built = build(REPOSITORY=nasty, TAG=nasty, FREQUENCY="MANUAL")
    assert built.ok, built.output
    assert built.of("docker", "push") == [["docker", "push", f"{REGISTRY}/{nasty}:{nasty}"]]
    assert built.calls[-1][-1] == f"imageTag={nasty}"
    assert not list(tmp_path.rglob("pwned"))


def test_no_value_of_a_request_is_in_the_commands(project: Any) -> None:
    """They are one text without references; what differs comes in environment variables."""
    text = project["Source"]["BuildSpec"]
    assert isinstance(text, str)
    found = yaml.safe_load(text)
    assert set(found["phases"]) == {"pre_build", "build"}, "post_build would run after a failed build, too"
    assert [one["Name"] for one in project["Environment"]["EnvironmentVariables"]] == ["REGISTRY", "REPOSITORY", "TAG"]
