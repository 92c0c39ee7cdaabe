# SPDX-License-Identifier: Apache-2.0
"""What a request names in any region of any partition that botocore knows, the patterns let pass."""

import re
from typing import Any

import botocore.session
import pytest
from chalicelib.catalog import Catalog

_SESSION = botocore.session.get_session()
_LOADER = _SESSION.get_component("data_loader")
REGIONS = [
    (partition["partition"], region, partition["dnsSuffix"])
    for partition in _LOADER.load_data("endpoints")["partitions"]
    for region in partition["regions"]
]


@pytest.fixture(scope="module")
def fields(catalog: Catalog) -> dict[str, Any]:
    _, artifact = catalog.find("byom_realtime_custom").schema("byom_realtime_custom", False)
    _, registry = catalog.find("byom_realtime_custom").schema("byom_realtime_custom", True)
    return {**artifact["properties"], **registry["properties"]}


@pytest.mark.parametrize(("partition", "region", "suffix"), REGIONS, ids=[region for _, region, _ in REGIONS])
def test_keys_images_and_model_packages_of_every_region_pass(
    fields: dict[str, Any], partition: str, region: str, suffix: str
) -> None:
    account = f"{region}:111122223333"
    for key, value in (
        ("kms_key_arn", f"arn:{partition}:kms:{account}:key/0d990263-018e-4e65-a703-eff731de951e"),
        ("kms_key_arn", f"arn:{partition}:kms:{account}:key/mrk-0d990263018e4e65a703eff731de951e"),
        ("kms_key_arn", f"arn:{partition}:kms:{account}:alias/models/churn"),
        ("model_package_name", f"arn:{partition}:sagemaker:{account}:model-package/churn/3"),
        ("custom_image_uri", f"111122223333.dkr.ecr.{region}.{suffix}/my-algorithm:1.0.3"),
        ("custom_image_uri", f"111122223333.dkr.ecr-fips.{region}.{suffix}/my/algorithm@sha256:{'0' * 64}"),
    ):
        assert re.search(fields[key]["pattern"], value), value
