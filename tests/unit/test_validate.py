# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a request is told where it is, once, with what to write instead."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import check_request
from chalicelib.settings import Settings

Example = Callable[[str], dict[str, Any]]
Check = Callable[[dict[str, Any]], list[tuple[str, str, str]]]


@pytest.fixture
def told(catalog: Catalog, settings: Settings) -> Check:
    """The problems of a request; none where it is right."""

    def check(body: dict[str, Any]) -> list[tuple[str, str, str]]:
        try:
            check_request(json.dumps(body).encode(), catalog, settings)
        except BadRequest as refused:
            return [(problem.path, problem.problem, problem.hint) for problem in refused.problems]
        return []

    return check


AUGMENTED = {"s3_data_type": "AugmentedManifestFile"}


@pytest.mark.parametrize(
    ("change", "path", "problem"),
    [
        (AUGMENTED, "/data_input_mode", "'File' cannot be used with /s3_data_type 'AugmentedManifestFile'"),
        (AUGMENTED | {"data_input_mode": "FastFile"}, "/data_input_mode", "'FastFile' cannot be used with"),
        ({"attribute_names": ["a"]}, "/s3_data_type", "'S3Prefix' cannot be used with /attribute_names"),
        ({"max_wait_time_spot_instances": 700, "max_runtime_per_job": 701}, "/max_wait_time_spot_instances", "700 is"),
    ],
)
def test_fields_that_do_not_go_together(
    told: Check, example: Example, change: dict[str, Any], path: str, problem: str
) -> None:
    ((where, what, hint),) = told({**example("model_training_builtin"), **change})
    assert where == path
    assert what.startswith(problem)
    assert hint


@pytest.mark.parametrize(
    "change",
    [
        AUGMENTED | {"data_input_mode": "Pipe"},
        AUGMENTED | {"data_input_mode": "Pipe", "attribute_names": ["source-ref"], "data_record_wrapping": "RecordIO"},
        {"compression_type": "Gzip"},
        {"data_record_wrapping": "RecordIO"},
        {"use_spot_instances": False, "max_wait_time_spot_instances": 700, "max_runtime_per_job": 701},
    ],
)
def test_fields_that_go_together(told: Check, example: Example, change: dict[str, Any]) -> None:
    assert told({**example("model_training_builtin"), **change}) == []


@pytest.mark.parametrize(
    ("change", "path", "hint"),
    [
        ({"job_name": "a" * 64}, "/job_name", "at most 63"),
        ({"model_name": "a" * 120}, "/model_name", "at most 86"),
        (
            {"model_name": "a b" * 120},
            "/model_name",
            "Name of the model, included in the names of the pipeline and its stacks. "
            'Letters, digits, and hyphens between them; for example "churn-xgboost"',
        ),
        ({"algo_hyperparameters": {"num_round": None}}, "/algo_hyperparameters/num_round", "omit the key instead"),
    ],
)
def test_one_problem_for_one_field(told: Check, example: Example, change: dict[str, Any], path: str, hint: str) -> None:
    ((where, _, what_instead),) = told({**example("model_training_builtin"), **change})
    assert (where, what_instead) == (path, hint)


@pytest.mark.parametrize(
    ("change", "path", "problem", "hint"),
    [
        (
            {"model_name": 5},
            "/model_name",
            "is 5, a number, not a string",
            'to use this value, write it as a string: "5"',
        ),
        ({"training_data": 7}, "/training_data", "is 7, a number, not a string", 'write it as a string: "7"'),
        ({"job_name": 1.5}, "/job_name", "is 1.5, a number, not a string", "generated from model_name"),
        ({"content_type": True}, "/content_type", "is true, not a string", "Content type"),
        (
            {"algo_hyperparameters": "[1, 2]"},
            "/algo_hyperparameters",
            "is a string that contains a list, not an object",
            "hyperparameters by name",
        ),
        (
            {"attribute_names": '{"a": 1}'},
            "/attribute_names",
            "is a string that contains an object, not a list",
            "manifest",
        ),
        ({"attribute_names": "a, b"}, "/attribute_names", "is 'a, b', a string, not a list", "manifest"),
    ],
)
def test_the_wrong_kind_of_json_is_named(
    told: Check, example: Example, change: dict[str, Any], path: str, problem: str, hint: str
) -> None:
    ((where, what, what_instead),) = told({**example("model_training_builtin"), **change})
    assert (where, what) == (path, problem)
    assert hint in what_instead


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"algo_hyperparameters": {"num_round": 1, "a/b~c": None}}, "/algo_hyperparameters/a~1b~0c"),
        ({"algo_hyperparameters": {"num_round": 1, "a/b\n": "1"}}, "/algo_hyperparameters/a~1b\n"),
        ({"attribute_names": ["a", 1], **AUGMENTED, "data_input_mode": "Pipe"}, "/attribute_names/1"),
    ],
)
def test_paths_are_json_pointers(told: Check, example: Example, change: dict[str, Any], path: str) -> None:
    ((where, _, _),) = told({**example("model_training_builtin"), **change})
    assert where == path


LONG = "x" * 20_000


@pytest.mark.parametrize(
    "change",
    [
        *({key: value} for key in ("pipeline_type", "model_name", "instance_type", "s3_data_type", "instance_count",
                                   "use_spot_instances", "algo_hyperparameters", "attribute_names", "kms_key_arn",
                                   "model_framework", "model_framework_version", "training_data", "rerun")
          for value in (LONG, "s3://b/" + LONG, [LONG], {LONG: LONG}, 10**19, -(10**19), None, "[" + LONG)),
        {LONG: 1, LONG + "y": 1},
        {"algo_hyperparameters": {LONG: LONG}},
        {f"key-{number}": 1 for number in range(3000)},
        {"algo_hyperparameters": {f"key-{number}": LONG[:10] + "\n" for number in range(2000)}},
    ],
    ids=lambda change: ",".join(f"{key[:20]}={str(value)[:12]}" for key, value in list(change.items())[:2]),
)  # fmt: skip
def test_an_answer_repeats_little_of_a_request(told: Check, example: Example, change: dict[str, Any]) -> None:
    problems = told({**example("model_training_builtin"), **change})
    assert sum(len(part) for problem in problems for part in problem) < 40_000
    for path, problem, hint in problems:
        assert max(len(path), len(problem), len(hint)) <= 500
        assert "x" * 200 not in path + problem


def test_more_problems_than_an_answer_lists_are_counted(told: Check, example: Example) -> None:
    problems = told({**example("model_training_builtin"), **{f"key-{number:04}": 1 for number in range(1000)}})
    assert len(problems) == 101
    assert problems[-1] == ("", "and 900 more problems", "correct the listed problems first")


@pytest.mark.parametrize(
    ("change", "problem", "hint"),
    [
        ({"custom_image_uri": "111122223333.dkr.ecr.us-east-1.amazonaws.com/mine"}, "is not the URI", "/mine:1.0.3'"),
        ({"custom_image_uri": "111122223333.dkr.ecr.us-east-1.amazonaws.com/mine:"}, "is not the URI", "tag or digest"),
    ],
)
def test_an_image_needs_a_tag_or_a_digest(
    told: Check, example: Example, change: dict[str, Any], problem: str, hint: str
) -> None:
    ((path, what, what_instead),) = told({**example("byom_realtime_custom"), **change})
    assert path == "/custom_image_uri"
    assert problem in what
    assert hint in what_instead


def test_a_model_package_without_a_version_is_taken_with_a_warning(
    example: Example, catalog: Catalog, settings: Settings
) -> None:
    registry = replace(settings, use_model_registry=True)
    body = example("byom_realtime_builtin.registry")
    arn = body["model_package_name"].removesuffix("/3")
    checked = check_request(json.dumps({**body, "model_package_name": arn}).encode(), catalog, registry)
    assert [(one.path, "no version" in one.problem, f"'{arn}/1'" in one.hint) for one in checked.warnings] == [
        ("/model_package_name", True, True)
    ]
    group = arn.replace(":model-package/", ":model-package-group/")
    with pytest.raises(BadRequest) as refused:
        check_request(json.dumps({**body, "model_package_name": f"{group}/3"}).encode(), catalog, registry)
    assert [one.hint for one in refused.value.problems] == [f"the ARN of a version is '{arn}/3'"]


def test_hyphens_may_stand_together_in_a_model_name(told: Check, example: Example) -> None:
    assert told({**example("model_training_builtin"), "model_name": "a--b"}) == []


@pytest.mark.parametrize("name", ["model_training_builtin", "model_autopilot_training", "byom_batch_builtin"])
@pytest.mark.parametrize(("key", "warns"), [("us-east-1", False), ("eu-west-1", True)])
def test_a_key_of_another_region_is_taken_with_a_warning(
    example: Example, catalog: Catalog, settings: Settings, name: str, key: str, warns: bool
) -> None:
    body = {**example(name), "kms_key_arn": f"arn:aws:kms:{key}:111122223333:alias/models"}
    checked = check_request(json.dumps(body).encode(), catalog, settings)
    assert [(one.path, "eu-west-1" in one.problem) for one in checked.warnings] == [("/kms_key_arn", True)] * warns


def test_a_value_for_each_stage_is_told_from_a_wrong_type(told: Check, example: Example) -> None:
    body = example("byom_realtime_builtin")
    staged = {"dev": "ml.m5.large", "prod": "ml.m5.xlarge"}
    ((path, problem, _),) = told({**body, "inference_instance": staged})
    assert (path, "single account" in problem) == ("/inference_instance", True)
    ((path, problem, _),) = told({**body, "model_framework": staged})
    assert (path, "single account" in problem) == ("/model_framework", False)


@pytest.mark.parametrize(
    ("vpc", "wrong"),
    [
        ({"subnets": ["subnet-1"]}, [("/vpc_config/security_group_ids", "is missing", "IDs of 1 to 5")]),
        (
            {"security_group_ids": ["sg-1"], "Subnetz": ["subnet-1"]},
            [
                ("/vpc_config/Subnetz", "is an unknown key", "did you mean 'subnets'?"),
                ("/vpc_config/subnets", "is missing", "IDs of 1 to 16"),
            ],
        ),
        (
            {"security_group_ids": ["sg-1"], "subnets": ["subnet-1", "sg-2", 3, None]},
            [
                ("/vpc_config/subnets/1", "'sg-2' is not the ID of a subnet", ""),
                ("/vpc_config/subnets/2", "is 3, a number, not a string", ""),
                ("/vpc_config/subnets/3", "is null, not a string", ""),
            ],
        ),
        (
            {"security_group_ids": "sg-1", "subnets": []},
            [
                ("/vpc_config/security_group_ids", "is 'sg-1', a string, not a list", "sg-0123"),
                ("/vpc_config/subnets", "is empty", "at least 1"),
            ],
        ),
        (
            {"security_group_ids": [f"sg-{number}" for number in range(6)], "subnets": ["subnet-1,subnet-2"]},
            [
                ("/vpc_config/security_group_ids", "has 6 entries", "at most 5"),
                ("/vpc_config/subnets/0", "is not the ID of a subnet", ""),
            ],
        ),
        ("subnet-1", [("/vpc_config", "not an object", "sg-0123")]),
    ],
)
def test_a_problem_inside_an_object_is_told_where_it_is(
    told: Check, example: Example, vpc: Any, wrong: list[tuple[str, str, str]]
) -> None:
    found = told({**example("model_training_builtin"), "vpc_config": vpc})
    assert [path for path, _, _ in found] == [path for path, _, _ in wrong]
    for (_, problem, hint), (_, words, advice) in zip(found, wrong, strict=True):
        assert words in problem
        assert advice in hint


SUBMIT, PROGRAM = "sagemaker_submit_directory", "sagemaker_program"


@pytest.mark.parametrize(
    ("name", "change", "path", "hint"),
    [
        # what IAM policies cannot have in a resource
        ("model_training_builtin", {"training_data": "模型/train.csv"}, "/training_data", "Latin-1"),
        ("byom_batch_builtin", {"batch_inference_data": "my-bucket/模型"}, "/batch_inference_data", "Latin-1"),
        # paths that lead out of the container's folders
        (
            "model_training_builtin",
            {"algo_hyperparameters": {PROGRAM: "../../x.py"}},
            f"/algo_hyperparameters/{PROGRAM}",
            "script",
        ),
        (
            "model_training_builtin",
            {"algo_hyperparameters": {PROGRAM: "x.py", SUBMIT: "/opt/ml/../../home"}},
            f"/algo_hyperparameters/{SUBMIT}",
            "S3 URI",
        ),
        (
            "byom_image_builder",
            {"ecr_repo_name": "111122223333.dkr.ecr.us-east-1.amazonaws.com/churn"},
            "/ecr_repo_name",
            "write only the repository's name: 'churn'",
        ),
    ],
)
def test_a_path_that_aws_would_refuse_is_told(
    told: Check, example: Example, name: str, change: dict[str, Any], path: str, hint: str
) -> None:
    ((where, _, advice),) = told({**example(name), **change})
    assert where == path
    assert hint in advice


def test_a_key_of_latin_1_is_taken(told: Check, example: Example) -> None:
    assert told({**example("model_training_builtin"), "training_data": "größe/train (1).csv"}) == []


@pytest.mark.parametrize(
    ("name", "field", "longest", "beginning"),
    [
        ("model_training_builtin", "training_data", 955, ""),
        ("byom_batch_builtin", "batch_inference_data", 1019, "my-bucket/"),
        ("byom_realtime_builtin", "data_capture_location", 507, "my-bucket/"),
        ("byom_batch_builtin", "batch_job_output_location", 955, "my-bucket/"),  # the job's name follows
    ],
)
def test_a_uri_has_at_most_the_characters_that_sagemaker_takes(
    told: Check, example: Example, name: str, field: str, longest: int, beginning: str
) -> None:
    assert told({**example(name), field: beginning.ljust(longest, "x")}) == []
    ((path, _, hint),) = told({**example(name), field: beginning.ljust(longest + 1, "x")})
    assert (path, hint) == (f"/{field}", f"at most {longest}")


def test_what_codepipeline_takes_of_a_key_is_all_that_is_taken(told: Check, example: Example) -> None:
    ((path, _, hint),) = told({**example("byom_image_builder"), "custom_algorithm_docker": "x" * 997 + ".zip"})
    assert (path, hint) == ("/custom_algorithm_docker", "at most 1000")
