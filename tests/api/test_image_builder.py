# SPDX-License-Identifier: Apache-2.0
"""byom_image_builder: a pipeline of its own, in one stack, which a repository and a tag share. On the laptop its build
gets as far as Docker, and says so."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from tests.api.managing import deleted, stop
from tests.support.http import error_shape
from tests.support.installed import Installed

PIPELINE = "BYOMPipelineRealtimeBuild537FE84B"
NO_DOCKER = "The laptop account has no Docker"


def request(tag: str, **changes: Any) -> dict[str, Any]:
    return {
        "pipeline_type": "byom_image_builder",
        "custom_algorithm_docker": f"images/{tag}.zip",
        "ecr_repo_name": "mlops-images",
        "image_tag": tag,
        **changes,
    }


def name_of(tag: str) -> str:
    return f"mlops-pipeline-{tag}-byompipelineimagebuilder"


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture(scope="module")
def first(api: Installed) -> Any:
    """A pipeline that has run as far as it can here."""
    api.put("images/first.zip", zipped({"Dockerfile": "FROM scratch\n"}))
    answer = api.provision(request("first"))
    assert answer.status == 200, answer.text
    assert answer.body["message"] == "success: stack creation started"
    assert answer.body["name"] == name_of("first")
    assert f":stack/{name_of('first')}/" in answer.body["pipeline_id"]
    return api.ended(answer.body["pipeline_id"])


def test_the_build_fails_for_want_of_docker_and_the_status_says_where_and_why(api: Installed, first: Any) -> None:
    assert (first["status"], first["stage"]) == ("Failed", "Build")
    assert NO_DOCKER in first["reason"]
    assert "Phase: BUILD" in first["reason"]
    assert f"#/builds/{name_of('first')}:" in first["reason"].partition("Log: ")[2]
    (run,) = api.get(f"pipelines/{first['name']}/runs").body["runs"]
    assert run["reason"] == first["reason"]


def test_the_stack_is_the_pipeline_and_has_the_images_uri(api: Installed, first: Any) -> None:
    assert first["stack"] == {"name": name_of("first"), "status": "CREATE_COMPLETE"}
    account, region = first["pipeline_id"].split(":")[4], first["pipeline_id"].split(":")[3]
    assert first["outputs"]["CustomAlgorithmImageURI"] == (
        f"{account}.dkr.ecr.{region}.amazonaws.com/mlops-images:first"
    )
    resources = api.client("cloudformation").describe_stack_resources(StackName=name_of("first"))["StackResources"]
    (pipeline,) = [one for one in resources if one["ResourceType"] == "AWS::CodePipeline::Pipeline"]
    assert (pipeline["LogicalResourceId"], pipeline["PhysicalResourceId"]) == (
        PIPELINE,
        first["outputs"]["PipelineName"],
    )
    names = [stack["StackName"] for stack in api.client("cloudformation").describe_stacks()["Stacks"]]
    assert [name for name in names if name.startswith(name_of("first"))] == [name_of("first")]
    rows = api.get(f"pipelines?prefix={name_of('first')}").body["pipelines"]
    assert [(row["name"], row["pipeline_type"], row["status"]) for row in rows] == [
        (name_of("first"), "byom_image_builder", "Failed")
    ]


def test_every_key_reaches_the_build(api: Installed, first: Any) -> None:
    codebuild, codepipeline = api.client("codebuild"), api.client("codepipeline")
    (project,) = codebuild.batch_get_projects(names=[name_of("first")])["projects"]
    variables = {one["name"]: one["value"] for one in project["environment"]["environmentVariables"]}
    registry = first["outputs"]["CustomAlgorithmImageURI"].partition("/")[0]
    assert variables == {"REGISTRY": registry, "REPOSITORY": "mlops-images", "TAG": "first"}
    assert project["environment"]["privilegedMode"]
    declared = codepipeline.get_pipeline(name=first["outputs"]["PipelineName"])["pipeline"]
    sources = {one["name"]: one["configuration"] for one in declared["stages"][0]["actions"]}
    assert sources["ImageSource"] == {
        "S3Bucket": api.assets_bucket,
        "S3ObjectKey": "images/first.zip",
        "PollForSourceChanges": "false",
    }
    assert sources["S3Source"]["S3Bucket"] == api.bundle_bucket


def test_repeats_answer_as_the_predecessors_did(api: Installed) -> None:
    api.put("images/repeated.zip", zipped({"Dockerfile": "FROM scratch\n"}))
    new = api.provision(request("repeated"))
    assert new.status == 200, new.text
    unchanged = f"Pipeline {name_of('repeated')} is already provisioned. No updates are to be performed."
    again = api.provision(request("repeated"))  # its first run is on its way
    assert (again.status, again.body["message"]) == (200, unchanged)
    api.ended(new.body["pipeline_id"])
    failed = api.provision(request("repeated"))
    assert failed.body["message"] == f"{unchanged} It runs again: the status of its last run is Failed."
    api.ended(new.body["pipeline_id"])

    api.put("images/other.zip", zipped({"Dockerfile": "FROM scratch\n"}))
    changed = api.insisting(request("repeated", custom_algorithm_docker="images/other.zip"))
    assert (changed.status, changed.body["message"]) == (200, f"Pipeline {name_of('repeated')} is being updated.")
    api.ended(new.body["pipeline_id"])
    stack = api.client("cloudformation").describe_stacks(StackName=name_of("repeated"))["Stacks"][0]
    values = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert (stack["StackStatus"], values["CustomImage"]) == ("UPDATE_COMPLETE", "images/other.zip")
    runs = api.get(f"pipelines/{name_of('repeated')}/runs").body["runs"]
    assert len(runs) == 3
    assert all(NO_DOCKER in run["reason"] for run in runs)


def test_a_tag_that_another_repository_holds_is_a_409_that_says_which(api: Installed, first: Any) -> None:
    refused = api.provision(request("first", ecr_repo_name="other-images"))
    assert refused.status == 409
    error_shape(refused)
    assert "belongs to ecr_repo_name 'mlops-images' and image_tag 'first'" in refused.body["message"]
    assert "Retry-After" not in refused.headers
    assert api.provision(request("FIRST")).status == 409  # names are in lower case, tags are not


def test_a_tag_with_dots_and_underscores_has_a_name_of_its_own(api: Installed) -> None:
    api.put("images/dots.zip", zipped({"Dockerfile": "FROM scratch\n"}))
    names, uris = [], []
    for tag in ("1.0", "1-0", "1_0"):
        answer = api.provision(request(tag, custom_algorithm_docker="images/dots.zip"))
        assert answer.status == 200, answer.text
        names.append(answer.body["name"])
        uris.append(api.ended(answer.body["pipeline_id"])["outputs"]["CustomAlgorithmImageURI"])
    assert len(set(names)) == 3
    assert names[1] == name_of("1-0")
    assert [uri.rpartition(":")[2] for uri in uris] == ["1.0", "1-0", "1_0"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not a zip", "Phase: DOWNLOAD_SOURCE, Code: CLIENT_ERROR, Message: the source is not a zip file"),
        (zipped({"folder/Dockerfile": "FROM a"}), "no Dockerfile at its top; there is one at folder/Dockerfile"),
        (zipped({"Dockerfile": "RUN true\n"}), "Dockerfile has no FROM instruction"),
    ],
    ids=["no zip", "no Dockerfile", "no FROM"],
)
def test_a_source_that_cannot_be_built_is_the_reason(api: Installed, content: bytes, reason: str) -> None:
    api.put("images/wrong.zip", content)
    answer = api.insisting(request("wrong", rerun=True))
    assert answer.status == 200, answer.text
    pipeline = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Failed"
    assert reason in pipeline["reason"]


def test_a_zip_that_is_not_there_is_the_reason(api: Installed) -> None:
    answer = api.provision(request("absent"))
    pipeline = api.ended(answer.body["pipeline_id"])
    assert (pipeline["status"], pipeline["stage"]) == ("Failed", "Source")
    assert "images/absent.zip" in pipeline["reason"]
    assert "runs again" in api.provision(request("absent")).body["message"]


def test_what_is_wrong_is_told_at_once_and_nothing_is_made(api: Installed) -> None:
    refused = api.provision(
        request(".tag", custom_algorithm_docker="images/first.tar", ecr_repo_name="123456789012.dkr.ecr.x.y/Images:1")
    )
    assert refused.status == 400
    assert [error["path"] for error in refused.body["errors"]] == [
        "/custom_algorithm_docker",
        "/ecr_repo_name",
        "/image_tag",
    ]
    long = api.provision(request("t" * 100))
    assert [(error["path"], error["hint"]) for error in long.body["errors"]] == [("/image_tag", "at most 88")]


def test_it_is_deleted_in_one_step_and_its_name_is_free_for_another_repository(api: Installed) -> None:
    api.put("images/deleted.zip", zipped({"Dockerfile": "FROM scratch\n"}))
    api.ended(api.provision(request("deleted")).body["pipeline_id"])
    assert stop(api, name_of("deleted")).body["message"].endswith("is not running.")
    dry = api.send(f"{api.api_url}/pipelines/{name_of('deleted')}?dry_run=true", b"", "DELETE")
    assert dry.body["deletes"] == [name_of("deleted")]
    answers = deleted(api, name_of("deleted"))
    assert answers[-1].body["deleted"], answers[-1].text
    assert api.get(f"pipelines/{name_of('deleted')}").status == 404
    assert api.client("codebuild").batch_get_projects(names=[name_of("deleted")])["projects"] == []
    other = api.insisting(request("deleted", ecr_repo_name="other-images"))
    assert other.body["message"] == "success: stack creation started"
    deleted(api, name_of("deleted"), stop="true")
