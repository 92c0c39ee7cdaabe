# SPDX-License-Identifier: Apache-2.0
"""Facts that stand in two places, since one of them cannot import the other: they are the same in both.

The functions of custom resources are zips of their own, and do their work with the properties that an older stack gave
them. IAM policies and event patterns have names inside of strings, and CloudFormation reads templates by itself.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chalicelib import names
from chalicelib.catalog import Catalog
from chalicelib.intake.check import check_request
from chalicelib.planning import plan
from chalicelib.settings import REQUEST_SECONDS, Settings
from mlops.defaults import PIPELINE_PREFIX
from mlops.deploy import limits
from mlops.deploy.template import load
from mlops.templates import cfn_yaml

ROOT = Path(__file__).parents[2]


def constant(function: str, name: str) -> Any:
    """What a function's module assigns to a name."""
    tree = ast.parse((ROOT / "source" / "functions" / f"{function}.py").read_text("utf-8"))
    (value,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name
    ]
    return ast.literal_eval(value)


def test_functions_know_pipelines_by_their_names() -> None:
    assert constant("guard_pipelines", "DELIVERY") == names.DELIVERY
    assert constant("check_install", "DEPLOYED_STACKS") == PIPELINE_PREFIX


def test_the_main_stack_knows_pipelines_by_their_names() -> None:
    files = [*(ROOT / "deployment" / "templates").glob("*.yaml"), *(ROOT / "deployment" / "permissions").glob("*.yaml")]
    found = [one for path in files for one in re.findall(r"\bmlops-p[\w-]*", path.read_text("utf-8"))]
    assert set(found) == {PIPELINE_PREFIX, f"{PIPELINE_PREFIX}-"}
    assert f"PIPELINE_STACK_NAME: {PIPELINE_PREFIX}\n" in "".join(path.read_text("utf-8") for path in files)


def test_policies_are_measured_with_as_many_data_buckets_as_an_installation_accepts() -> None:
    assert constant("check_install", "MOST_CHARACTERS") == limits.LONGEST_LIST


def test_the_function_of_the_api_runs_for_as_long_as_api_gateway_waits() -> None:
    function = load(ROOT / "deployment" / "templates" / "orchestrator.sam.yaml")["Resources"]["APIHandler"]
    assert function["Properties"]["Timeout"] == REQUEST_SECONDS


def test_a_delivery_template_has_what_the_orchestrator_names(
    catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]
) -> None:
    body = json.dumps(example("model_training_builtin")).encode()
    made = plan.make(check_request(body, catalog, settings), settings, catalog)
    template = cfn_yaml.load(made.delivery_template)
    assert made.delivery_parameters.keys() == template["Parameters"].keys()
    assert names.PIPELINE_OUTPUT in template["Outputs"]
    actions = set(re.findall(r"'Name': '(\w+)', (?:'Namespace'|'ActionTypeId')", repr(template)))
    assert {names.SOURCE_ACTION, names.RUN_ACTION} <= actions


def test_what_a_pipeline_owns_is_tagged_as_the_policies_ask() -> None:
    files = [*(ROOT / "deployment" / "permissions").glob("*.yaml"), *(ROOT / "blueprints").glob("*/template.yaml")]
    text = "".join(path.read_text("utf-8") for path in files)
    assert set(re.findall(r"aws:(?:Request|Resource)Tag/(\w+)", text)) == {plan.OWNER_TAG}
    assert set(re.findall(r"Tags: \[\{Key: (\w+), Value: !Ref OrchestratorStack\}\]", text)) == {plan.OWNER_TAG}
