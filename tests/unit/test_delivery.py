# SPDX-License-Identifier: Apache-2.0
"""Where pipelines deploy to: one stage in a single account, and a refusal where more were needed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import check_request
from chalicelib.planning import plan
from chalicelib.planning.plan import Plan
from chalicelib.settings import Settings

Example = Callable[[str], dict[str, Any]]
HOME, STAGED = "model_training_builtin", "byom_realtime_builtin"


def planned(body: dict[str, Any], settings: Settings, catalog: Catalog) -> Plan:
    return plan.make(check_request(json.dumps(body).encode(), catalog, settings), settings, catalog)


@pytest.mark.parametrize("pipeline_type", [HOME, STAGED])
def test_in_a_single_account_the_one_stage_has_the_pipelines_name_and_the_predecessors_file(
    pipeline_type: str, example: Example, settings: Settings, catalog: Catalog
) -> None:
    made = planned(example(pipeline_type), settings, catalog)
    (stage,) = made.stages
    assert made.stacks == (stage.stack,) == (made.name,)
    assert made.delivery_parameters["StackName"] == stage.stack
    assert made.delivery_parameters["TemplateParamsName"] == stage.parameters_file == "template_params.json"
    with zipfile.ZipFile(io.BytesIO(made.bundle)) as archive:
        configuration = json.loads(archive.read(stage.parameters_file))
        assert made.delivery_parameters["TemplateFileName"] in archive.namelist()
    assert configuration["Parameters"] == stage.parameters


def test_a_type_that_needs_stages_is_refused_where_the_deployment_has_several_accounts(
    example: Example, settings: Settings, catalog: Catalog
) -> None:
    several = replace(settings, is_multi_account=True)
    with pytest.raises(BadRequest) as refused:
        planned({**example(STAGED), "inference_instance": "m5.large"}, several, catalog)
    assert [problem.path for problem in refused.value.problems] == ["/inference_instance", "/pipeline_type"]
    assert "not supported yet" in refused.value.problems[1].problem


def test_a_type_that_always_deploys_here_does_so_in_every_deployment(
    example: Example, settings: Settings, catalog: Catalog
) -> None:
    several = replace(settings, is_multi_account=True)
    assert planned(example(HOME), several, catalog) == planned(example(HOME), settings, catalog)
