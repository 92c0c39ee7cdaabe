# SPDX-License-Identifier: Apache-2.0
"""The table of container images: what it answers, and how it refuses."""

from __future__ import annotations

import json
import time

import pytest
from chalicelib.images import instances, uris
from chalicelib.images.uris import Ambiguous, ImageError, NotFor, NotInRegion, UnknownFramework, UnknownVersion
from tools import image_uris

XGBOOST = ("xgboost", "1.7-1", "us-east-1", "ml.m5.xlarge")


@pytest.mark.parametrize(
    ("wanted", "image"),
    [
        (XGBOOST, "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"),
        (
            ("xgboost", "latest", "eu-west-1", "ml.m5.xlarge"),
            "685385470294.dkr.ecr.eu-west-1.amazonaws.com/xgboost:latest",
        ),
        (
            ("kmeans", "1", "cn-north-1", "ml.m5.xlarge"),
            "390948362332.dkr.ecr.cn-north-1.amazonaws.com.cn/kmeans:1",
        ),
        (
            ("xgboost", "1.5-1", "us-east-1", "ml.m6g.large"),
            "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.5-1-arm64",
        ),
        (
            ("xgboost", "1.5-1", "us-east-1", "ml.m8g.large"),
            "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.5-1-arm64",
        ),
        (
            ("pytorch", "2.3.0", "us-gov-west-1", "ml.g5.xlarge"),
            "442386744353.dkr.ecr.us-gov-west-1.amazonaws.com/pytorch-training:2.3.0-gpu-py311",
        ),
        (
            ("mxnet", "1.8.0", "us-east-1", "ml.p4d.24xlarge"),
            "763104351884.dkr.ecr.us-east-1.amazonaws.com/mxnet-training:1.8.0-gpu-py37-cu110-ubuntu16.04",
        ),
    ],
)
def test_training_images(wanted: tuple[str, str, str, str], image: str) -> None:
    assert uris.training_image(*wanted) == image


@pytest.mark.parametrize(
    ("wanted", "error", "about", "hint"),
    [
        (("xgbost", "1.7-1", "us-east-1", "ml.m5.large"), UnknownFramework, "framework", "'xgboost'"),
        (("XGBoost", "1.7-1", "us-east-1", "ml.m5.large"), UnknownFramework, "framework", "'xgboost'"),
        (("scikit-learn", "1.2-1", "us-east-1", "ml.m5.large"), UnknownFramework, "framework", "'sklearn'"),
        (("", "1", "us-east-1", "ml.m5.large"), UnknownFramework, "framework", "there are"),
        (("model-monitor", "", "us-east-1", "ml.m5.large"), UnknownFramework, "framework", ""),
        (("xgboost", "1.7.1", "us-east-1", "ml.m5.large"), UnknownVersion, "version", "'1.7-1'? (there are 0.90-1, "),
        (("kmeans", "7", "us-east-1", "ml.m5.large"), UnknownVersion, "version", "there are 1"),
        (("xgboost", "1.7-1", "us-east-1", "ml.m6g.large"), UnknownVersion, "version", "1.5-1"),
        (("xgboost", "1.7-1", "mars-north-1", "ml.m5.large"), NotInRegion, "region", "published in"),
        (("vw", "8.7.0", "us-east-1", "ml.m5.large"), NotFor, "framework", "training only"),
        (("kmeans", "1", "us-east-1", "ml.m6g.large"), NotFor, "instance_type", "Intel or AMD"),
        (("kmeans", "1", "us-east-1", "ml.r7gd.large"), NotFor, "instance_type", "Intel or AMD"),
        (("pytorch", "2.3.0", "us-east-1", "ml.p6e-gb200.36xlarge"), NotFor, "instance_type", "for cpu instances"),
        (("pytorch", "2.3.0", "us-east-1", "ml.dl1.24xlarge"), NotFor, "instance_type", "for cpu and gpu instances"),
        (("pytorch", "2.3.0", "us-east-1", "ml.q9.large"), NotFor, "instance_type", "ml.m5.large"),
        (("xgboost", "1.7-1", "us-east-1", "ml.trn1.2xlarge"), NotFor, "instance_type", "ml.m5 or ml.g5"),
        (("sklearn", "1.2-1", "us-east-1", "ml.p3.2xlarge"), NotFor, "instance_type", "cpu"),
        (("pytorch", "2.3.0", "us-east-1", "ml.p2.xlarge"), NotFor, "instance_type", "cpu and gpu"),
        (("huggingface", "4.6.1", "us-east-1", "ml.g5.xlarge"), Ambiguous, "version", "custom_image_uri"),
    ],
)
def test_refusals_say_what_to_write_instead(
    wanted: tuple[str, str, str, str], error: type[ImageError], about: str, hint: str
) -> None:
    with pytest.raises(error) as refused:
        uris.inference_image(*wanted)
    assert refused.value.about == about
    assert hint in refused.value.hint


@pytest.mark.parametrize("family", [family for family in instances.table().values() if family.architecture == "arm64"])
def test_arm_instances_never_get_an_image_for_x86(family: instances.Family) -> None:
    for framework in uris.frameworks("inference"):
        for version in uris.versions(framework, "inference"):
            try:
                image = uris.inference_image(framework, version, "us-east-1", f"ml.{family.name}.xlarge")
            except ImageError:
                continue
            assert "arm64" in image or "graviton" in image


def test_versions_come_in_order() -> None:
    assert uris.versions("xgboost", "training")[-3:] == ["3.0-5", "3.2-0", "latest"]
    found = uris.versions("tensorflow", "inference")
    assert found.index("2.9.2") < found.index("2.10.0")


def test_the_table_loads_quickly_and_only_once() -> None:
    best = min(_seconds_to_load() for _ in range(5))
    assert best < 0.010
    assert uris.table() is uris.table()


def _seconds_to_load() -> float:
    uris.table.cache_clear()
    began = time.perf_counter()
    uris.table()
    return time.perf_counter() - began


def test_the_table_is_written_the_same_way_every_time() -> None:
    text = uris.TABLE.read_text(encoding="utf-8")
    assert image_uris.written(json.loads(text)) == text
