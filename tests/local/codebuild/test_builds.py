# SPDX-License-Identifier: Apache-2.0
"""CodeBuild on the laptop: sources, buildspecs and projects are checked, and no build succeeds without Docker."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.codepipelines import Pipelines, source, zipped
from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
SPEC = 'version: 0.2\nphases: {build: {commands: ["docker build ."]}}\n'
DOCKERFILE = {"Dockerfile": "FROM scratch\n"}


class Projects:
    """Projects of an account, and a bucket for their sources."""

    def __init__(self, account: Account) -> None:
        self.account, self.client = account, account.client("codebuild")
        self.role = trusted_role(account, "codebuild.amazonaws.com")
        self.bucket = unique("source")
        account.client("s3").create_bucket(Bucket=self.bucket)

    def create(self, spec: str = SPEC, image: str = IMAGE, privileged: bool = True, **changes: Any) -> str:
        name = unique("project")
        environment = {"type": "LINUX_CONTAINER", "image": image, "computeType": "BUILD_GENERAL1_SMALL"}
        self.client.create_project(
            **{
                "name": name,
                "source": {"type": "S3", "location": f"{self.bucket}/source.zip", "buildspec": spec},
                "artifacts": {"type": "NO_ARTIFACTS"},
                "environment": {**environment, "privilegedMode": privileged},
                "serviceRole": self.role,
                **changes,
            }
        )
        return name

    def start(self, name: str, content: bytes = zipped(**DOCKERFILE)) -> str:
        self.account.client("s3").put_object(Bucket=self.bucket, Key="source.zip", Body=content)
        started: str = self.client.start_build(projectName=name)["build"]["id"]
        return started

    def ended(self, build_id: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            (build,) = self.client.batch_get_builds(ids=[build_id])["builds"]
            return build if build["buildComplete"] else None

        found: dict[str, Any] = wait_for(ended)
        return found

    def failure(self, build_id: str) -> tuple[str, str, str]:
        """The phase that failed, its code and its message."""
        build = self.ended(build_id)
        assert build["buildStatus"] == "FAILED"
        (failed,) = [phase for phase in build["phases"] if phase.get("phaseStatus") == "FAILED"]
        (context,) = failed["contexts"]
        return failed["phaseType"], context["statusCode"], context["message"]


@pytest.fixture(scope="session")
def projects(account: Account) -> Projects:
    return Projects(account)


def test_an_image_is_not_built_and_the_build_says_why(projects: Projects) -> None:
    build_id = projects.start(projects.create())
    phase, code, message = projects.failure(build_id)
    assert (phase, code) == ("BUILD", "COMMAND_EXECUTION_ERROR")
    assert "has no Docker" in message
    build = projects.ended(build_id)
    events = projects.account.client("logs").get_log_events(
        logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"]
    )["events"]
    assert any("has no Docker" in event["message"] for event in events)


@pytest.mark.parametrize(
    ("changes", "phase", "words"),
    [
        ({"spec": "version: 0.2\nphases: [\n"}, "DOWNLOAD_SOURCE", "The buildspec is invalid: while parsing"),
        ({"spec": "version: 0.3\nphases: {}\n"}, "DOWNLOAD_SOURCE", "version is 0.1 or 0.2"),
        ({"spec": "version: 0.2\nphases: {buidl: {commands: []}}\n"}, "DOWNLOAD_SOURCE", "unknown keys buidl"),
        ({"spec": "version: 0.2\nphases: {build: {commands: [1]}}\n"}, "DOWNLOAD_SOURCE", "a list of strings"),
        ({"spec": "version: 0.2\nphases: {build: {commands: [make]}}\n"}, "BUILD", "does not run the commands"),
        ({"image": "aws/codebuild/standard:4.0"}, "PROVISIONING", "does not maintain the image"),
        ({"privileged": False}, "BUILD", "the project is not privileged"),
    ],
)
def test_what_is_wrong_with_a_project_is_the_reason(
    projects: Projects, changes: dict[str, Any], phase: str, words: str
) -> None:
    found, _, message = projects.failure(projects.start(projects.create(**changes)))
    assert found == phase
    assert words in message


def test_a_role_that_may_not_read_the_source_or_write_the_log_is_the_reason(
    projects: Projects, account: Account
) -> None:
    role = trusted_role(account, "codebuild.amazonaws.com", {"Action": "logs:*", "Resource": "*"})
    phase, _, message = projects.failure(projects.start(projects.create(serviceRole=role)))
    assert (phase, "cannot read s3://" in message) == ("DOWNLOAD_SOURCE", True)
    role = trusted_role(account, "codebuild.amazonaws.com", {"Action": "s3:*", "Resource": "*"})
    phase, code, _ = projects.failure(projects.start(projects.create(serviceRole=role)))
    assert (phase, code) == ("SUBMITTED", "ACCESS_DENIED")


def test_a_project_that_aws_would_refuse_is_refused(projects: Projects, account: Account) -> None:
    untrusted = trusted_role(account, "lambda.amazonaws.com")
    for changes, words in (
        ({"serviceRole": untrusted}, "not authorized to perform: sts:AssumeRole"),
        ({"artifacts": {"type": "CODEPIPELINE"}}, "cannot be used together"),
    ):
        with pytest.raises(ClientError, match=words) as refused:
            projects.create(**changes)
        assert refused.value.response["Error"]["Code"] == "InvalidInputException"
    name = projects.create()
    with pytest.raises(projects.client.exceptions.ResourceAlreadyExistsException):
        projects.create(name=name)
    with pytest.raises(projects.client.exceptions.ResourceNotFoundException):
        projects.client.start_build(projectName="nobodys")


def test_a_pipelines_project_is_built_by_pipelines_only(projects: Projects) -> None:
    name = projects.create(source={"type": "CODEPIPELINE", "buildspec": SPEC}, artifacts={"type": "CODEPIPELINE"})
    with pytest.raises(ClientError, match="CodePipeline starts the builds"):
        projects.client.start_build(projectName=name)


def test_a_build_is_stopped_and_stays_stopped(projects: Projects) -> None:
    build_id = projects.start(projects.create())
    assert projects.client.stop_build(id=build_id)["build"]["buildStatus"] == "STOPPED"
    assert projects.ended(build_id)["buildStatus"] == "STOPPED"
    assert projects.client.stop_build(id=build_id)["build"]["buildStatus"] == "STOPPED"


def test_projects_and_their_builds_are_listed_updated_and_deleted(projects: Projects) -> None:
    name, client = projects.create(), projects.client
    builds = [projects.start(name), projects.start(name)]
    for build_id in builds:
        projects.ended(build_id)
    assert client.list_builds_for_project(projectName=name)["ids"] == builds[::-1]
    client.update_project(name=name, description="another")
    (found,) = client.batch_get_projects(names=[name, "nobodys"])["projects"]
    assert (found["description"], found["serviceRole"]) == ("another", projects.role)
    assert name in client.list_projects()["projects"]
    client.delete_project(name=name)
    assert client.batch_get_projects(names=[name])["projectsNotFound"] == [name]
    assert client.batch_get_builds(ids=builds)["builds"] == []


def test_a_pipeline_shows_the_failed_phase_of_its_build(pipelines: Pipelines, projects: Projects) -> None:
    project = projects.create(source={"type": "CODEPIPELINE", "buildspec": SPEC}, artifacts={"type": "CODEPIPELINE"})
    pipelines.account.client("s3").put_object(Bucket=pipelines.bucket, Key="image.zip", Body=zipped(**DOCKERFILE))
    build = {
        "name": "Build",
        "actions": [
            {
                "name": "Image",
                "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
                "configuration": {"ProjectName": project},
                "inputArtifacts": [{"name": "Bundle"}],
            }
        ],
    }
    name = pipelines.create(source(pipelines.bucket, "image.zip"), build)
    assert pipelines.ended(name)["status"] == "Failed"
    latest = pipelines.actions(name)["Image"]["latestExecution"]
    assert latest["externalExecutionId"].startswith(f"{project}:")
    assert latest["errorDetails"]["message"].startswith(
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: "
    )


@pytest.mark.parametrize(
    "configuration",
    [{}, {"ProjectName": "p", "BatchEnabled": "true"}, {"ProjectName": "p", "EnvironmentVariables": "[1]"}],
)
def test_an_action_that_cannot_run_is_refused(pipelines: Pipelines, configuration: dict[str, str]) -> None:
    action = {
        "name": "Image",
        "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
        "configuration": configuration,
        "inputArtifacts": [{"name": "Bundle"}],
    }
    with pytest.raises(ClientError, match="Action configuration for action 'Image' contains"):
        pipelines.create(source(pipelines.bucket), {"name": "Build", "actions": [action]})
