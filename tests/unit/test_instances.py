# SPDX-License-Identifier: Apache-2.0
"""The table of instance families: complete, made from botocore, and what requests get out of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from botocore.session import get_session
from chalicelib.catalog import Catalog
from chalicelib.images import instances
from chalicelib.images.instances import Family, family_of, has_local_storage
from chalicelib.intake.check import check_request
from chalicelib.settings import Settings
from tools import instance_families
from tools.instance_families import UnknownFamily, family_named

MODEL = get_session().get_service_model("sagemaker")
SHAPES = [name for name in MODEL.shape_names if name.endswith("InstanceType")]
KEY = "arn:aws:kms:us-east-1:111122223333:key/0d990263-018e-4e65-a703-eff731de951e"


@pytest.mark.parametrize("shape", SHAPES)
def test_every_instance_type_of_sagemaker_has_a_family(shape: str) -> None:
    without = [name for name in MODEL.shape_for(shape).enum if name.startswith("ml.") and not family_of(name)]
    assert not without, f"run `make instance-families` for {', '.join(without)}"


def test_the_table_is_what_the_generator_makes() -> None:
    made = instance_families.written(instance_families.families())
    assert instances.TABLE.read_text("utf-8") == made, "run `make instance-families`"


@pytest.mark.parametrize(
    ("instance_type", "family"),
    [
        ("ml.m5.large", Family("m5", "x86_64", None, False)),
        ("ml.m6g.large", Family("m6g", "arm64", None, False)),
        ("ml.m8g.large", Family("m8g", "arm64", None, False)),
        ("ml.c8g.large", Family("c8g", "arm64", None, False)),
        ("ml.r7gd.large", Family("r7gd", "arm64", None, True)),
        ("ml.c7i-flex.large", Family("c7i-flex", "x86_64", None, False)),
        ("ml.g4dn.xlarge", Family("g4dn", "x86_64", "gpu", True)),
        ("ml.p3.2xlarge", Family("p3", "x86_64", "gpu", False)),
        ("ml.p4de.24xlarge", Family("p4de", "x86_64", "gpu", True)),
        ("ml.p6-b200.48xlarge", Family("p6-b200", "x86_64", "gpu", True)),
        ("ml.p6e-gb200.36xlarge", Family("p6e-gb200", "arm64", "gpu", True)),
        ("ml.inf2.xlarge", Family("inf2", "x86_64", "inferentia", False)),
        ("ml.trn2.48xlarge", Family("trn2", "x86_64", "trainium", True)),
        ("ml.dl1.24xlarge", Family("dl1", "x86_64", "gaudi", True)),
    ],
)
def test_what_a_family_has(instance_type: str, family: Family) -> None:
    assert family_of(instance_type) == family


@pytest.mark.parametrize("text", ["", "m5.large", "ml.m5", "ml.q9.large", "ml.m5.large ", "ml..large", "local"])
def test_what_is_no_instance_type_has_no_family(text: str) -> None:
    assert family_of(text) is None
    assert not has_local_storage(text)


@pytest.mark.parametrize(
    ("name", "table"),
    [("g9", "ACCELERATED_WITH_DISKS"), ("p7-b400", "ACCELERATED_WITH_DISKS"), ("x8g", "SERIES"), ("astral", "SERIES")],
)
def test_a_family_whose_name_does_not_say_what_it_has_stops_the_generator(name: str, table: str) -> None:
    with pytest.raises(UnknownFamily, match=table):
        family_named(name)


def test_a_family_of_a_known_series_is_read_from_its_name() -> None:
    assert family_named("c9gd") == Family("c9gd", "arm64", None, True)


@pytest.mark.parametrize(
    ("name", "field"), [("model_training_builtin", "instance_type"), ("byom_realtime_custom", "inference_instance")]
)
@pytest.mark.parametrize(
    ("instance_type", "takes_key"), [("ml.m5.large", True), ("ml.g5.xlarge", False), ("ml.p6-b200.48xlarge", False)]
)
def test_a_key_is_not_asked_for_on_local_storage(
    name: str,
    field: str,
    instance_type: str,
    takes_key: bool,
    example: Callable[[str], dict[str, Any]],
    catalog: Catalog,
    settings: Settings,
) -> None:
    body = {**example(name), "kms_key_arn": KEY, field: instance_type, "model_framework_version": "1.7-1"}
    if name == "byom_realtime_custom":
        del body["model_framework_version"]
    checked = check_request(json.dumps(body).encode(), catalog, settings)
    assert checked.parameters["VolumeKmsKeyArn"] == (KEY if takes_key else "")
    assert checked.parameters["KmsKeyArn"] == KEY
    assert [instance_type in warning.problem for warning in checked.warnings] == [True] * (not takes_key)


def test_the_orchestrator_starts_without_the_tables() -> None:
    script = (
        "import chalicelib.entrypoints.http\n"
        "from chalicelib.images import instances, uris\n"
        "print(instances.table.cache_info().currsize, uris.table.cache_info().currsize)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["0", "0"]
