# SPDX-License-Identifier: Apache-2.0
"""What a request may name: this account's, AWS's own, and what the installer listed."""

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
KEY = "arn:aws:kms:us-east-1:{}:key/0d990263-018e-4e65-a703-eff731de951e"
IMAGE = "{}.dkr.ecr.us-east-1.amazonaws.com/my-algorithm:1"
PACKAGE = "arn:aws:sagemaker:us-east-1:{}:model-package/churn/3"


@pytest.fixture
def closed(settings: Settings) -> Settings:
    """An installation that lists nothing; its account is 123456789012."""
    return replace(settings, data_buckets=frozenset(), image_accounts=frozenset(), key_accounts=frozenset())


def refused(body: dict[str, Any], catalog: Catalog, settings: Settings) -> list[dict[str, str]]:
    """The problems of a request; none where it is taken."""
    try:
        check_request(json.dumps(body).encode(), catalog, settings)
    except BadRequest as error:
        return [problem.document() for problem in error.problems]
    return []


def named(body: dict[str, Any]) -> dict[str, Any]:
    """The same request with everything in it this account's."""
    return {**body, "data_capture_location": "the-assets/captured"}


@pytest.mark.parametrize(
    ("name", "field", "value", "parameter"),
    [
        ("byom_realtime_builtin", "data_capture_location", "{}/captured", "DataBuckets"),
        ("byom_realtime_builtin", "kms_key_arn", KEY, "KeyAccounts"),
        ("model_training_builtin", "kms_key_arn", KEY, "KeyAccounts"),
        ("byom_realtime_custom", "custom_image_uri", IMAGE, "ImageAccounts"),
        ("byom_realtime_builtin.registry", "model_package_name", PACKAGE, "ImageAccounts"),
    ],
)
def test_what_is_somebody_elses_is_refused_until_the_installer_lists_it(
    name: str, field: str, value: str, parameter: str, example: Example, catalog: Catalog, closed: Settings
) -> None:
    settings = replace(closed, use_model_registry=name.endswith("registry"))
    owner = "mlops-distribution" if field == "data_capture_location" else "999999999999"
    body = example(name) | {"kms_key_arn": ""}
    body = (named(body) if name.startswith("byom") else body) | {field: value.format(owner)}
    (problem,) = refused(body, catalog, settings)
    assert problem["path"] == f"/{field}"
    assert owner in problem["problem"]
    assert f"to the parameter {parameter} of the stack mlops-orchestrator" in problem["hint"]
    listing = {"DataBuckets": "data_buckets", "KeyAccounts": "key_accounts", "ImageAccounts": "image_accounts"}
    assert not refused(body, catalog, replace(settings, **{listing[parameter]: frozenset({owner})}))


@pytest.mark.parametrize("account", ["123456789012", "683313688378"])  # this one; AWS's own for XGBoost in us-east-1
def test_this_accounts_images_and_awss_own_are_taken(
    account: str, example: Example, catalog: Catalog, closed: Settings
) -> None:
    body = named(example("byom_realtime_custom")) | {"custom_image_uri": IMAGE.format(account), "kms_key_arn": ""}
    assert not refused(body, catalog, closed)


@pytest.mark.parametrize("account", ["123456789012", "683313688378"])
def test_an_image_of_another_region_is_refused_as_sagemaker_does(
    account: str, example: Example, catalog: Catalog, closed: Settings
) -> None:
    image = IMAGE.format(account).replace("us-east-1", "eu-west-1")
    body = named(example("byom_realtime_custom")) | {"custom_image_uri": image, "kms_key_arn": ""}
    (problem,) = refused(body, catalog, closed)
    assert problem["path"] == "/custom_image_uri"
    assert problem["problem"] == "the image is in eu-west-1, and the pipeline in us-east-1"


def test_a_location_that_is_wrong_anyway_is_one_problem(example: Example, catalog: Catalog, closed: Settings) -> None:
    body = named(example("byom_realtime_builtin")) | {"data_capture_location": "s3://elsewhere/x", "kms_key_arn": ""}
    assert [problem["path"] for problem in refused(body, catalog, closed)] == ["/data_capture_location"]


def test_a_bucket_is_allowed_by_its_whole_name(example: Example, catalog: Catalog, closed: Settings) -> None:
    for bucket in ("the-assets-2", "the-asset", "xthe-assets"):
        body = example("byom_realtime_builtin") | {"data_capture_location": f"{bucket}/x", "kms_key_arn": ""}
        assert refused(body, catalog, closed), bucket
