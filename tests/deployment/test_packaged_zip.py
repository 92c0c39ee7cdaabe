# SPDX-License-Identifier: Apache-2.0
"""The packaged orchestrator under Lambda's own runtime client, in a process that has nothing else."""

import json
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tools.bench import cloud
from tools.bench.orchestrator import EXAMPLE, OURS, USAGE, WRONG, event, start
from tools.bench.runtime import Function, FunctionFailed, Package


@pytest.fixture(scope="module")
def package(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    return Package.unzipped(built / "regional-s3-assets" / "orchestrator.zip", tmp_path_factory.mktemp("function"))


@pytest.fixture
def function(package: Package) -> Iterator[Function]:
    with cloud.serving() as address, start(package, OURS, address) as started:
        yield started


def test_a_good_request_goes_through(function: Function) -> None:
    answer = function.invoke(event(EXAMPLE))
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["message"] == "success: stack creation started"


def test_a_bad_request_is_answered_in_the_one_shape(function: Function) -> None:
    answer = function.invoke(event(WRONG))
    assert answer["statusCode"] == 400
    body = json.loads(answer["body"])
    assert set(body) == {"message", "errors", "request_id"}
    assert {error["path"] for error in body["errors"]} == {"/instance_type", "/instance_volume", "/training_data"}


@pytest.mark.parametrize("body", ["", "[]", "{", "null"])
def test_what_is_no_request_is_one_too(function: Function, body: str) -> None:
    answer = function.invoke(event(body))
    assert answer["statusCode"] == 400
    assert set(json.loads(answer["body"])) == {"message", "errors", "request_id"}


def test_a_cold_start_imports_no_boto3_and_a_good_request_no_jsonschema(function: Function) -> None:
    assert not {"boto3", "botocore", "jsonschema"} & modules(function).keys()
    function.invoke(event(EXAMPLE))
    seen = modules(function)
    assert "botocore" in seen
    assert "jsonschema" not in seen
    function.invoke(event(WRONG))
    assert "jsonschema" in modules(function)


def test_it_is_light(function: Function) -> None:
    assert function.invoke(USAGE)["memory"] <= 60_000_000


def test_nothing_is_imported_but_what_is_in_the_zip_or_on_lambda(package: Package, function: Function) -> None:
    function.invoke(event(EXAMPLE))
    function.invoke(event(WRONG))
    wrapper = Path(str(modules(function)["measured"])).parent
    folders = (package.root, package.python.parents[1], wrapper, *map(sysconfig.get_path, ("stdlib", "platstdlib")))
    packages = [Path(str(sysconfig.get_path(name))) for name in ("purelib", "platlib")]
    for name, file in modules(function).items():
        if file is not None:
            assert any(Path(file).is_relative_to(folder) for folder in folders), f"{name}: {file}"
            assert not any(Path(file).is_relative_to(folder) for folder in packages), f"{name}: {file}"


def test_a_function_that_does_not_start_says_why(package: Package) -> None:
    with start(package, "missing.handler", "127.0.0.1:9") as function, pytest.raises(FunctionFailed, match="missing"):
        function.invoke({})


def modules(function: Function) -> dict[str, Any]:
    found: dict[str, Any] = function.invoke(USAGE)["modules"]
    return found
