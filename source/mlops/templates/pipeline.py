# SPDX-License-Identifier: Apache-2.0
"""Holds a template against its manifest's `delivery`: with `own` it has the pipeline itself, and else it has none.

Its stack is then created and updated by the orchestrator, as delivery stacks are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib import names
from chalicelib.delivery import OWN

from mlops.templates import cfn_yaml
from mlops.templates.cfn_yaml import Template
from mlops.templates.folder import BlueprintError

TYPE = "AWS::CodePipeline::Pipeline"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
TEMPLATE_BODY = 51_200  # bytes


def check(manifest: Mapping[str, Any], template: Template, where: str) -> None:
    """Raise BlueprintError with everything that a template lacks, or has, against its manifest's `delivery`."""
    own = manifest["delivery"] == OWN
    found = list(_problems(manifest, template) if own else _problems_with_stages(manifest))
    if found:
        raise BlueprintError(f"{where}: with `delivery: {manifest['delivery']}` {'; '.join(found)}")


def _problems(manifest: Mapping[str, Any], template: Template) -> Iterator[str]:
    pipelines = [one["Properties"] for one in template.get("Resources", {}).values() if one["Type"] == TYPE]
    if len(pipelines) != 1:
        yield f"it has one {TYPE}, not {len(pipelines)}"
    elif not _reads_bundle(pipelines[0]):
        yield f"the first stage of its pipeline has the action {names.SOURCE_ACTION}: write `Include: bundle_source`"
    elif pipelines[0].get("RestartExecutionOnUpdate") is not True or not _changes_with_bundle(pipelines[0]):
        yield (
            "its pipeline has `RestartExecutionOnUpdate: true`, and a variable with "
            f"`!Ref {names.BUNDLE_DIGEST}` as its DefaultValue: every changed request updates and so runs it"
        )
    if names.PIPELINE_OUTPUT not in template.get("Outputs", {}):
        yield f"it has the output {names.PIPELINE_OUTPUT}, the name of its pipeline"
    if manifest.get("run"):
        yield "there is no `run: true`: its own pipeline runs what is to run"
    for name, one in manifest["pipeline_types"].items():
        if f"-{one['stack_suffix']}".lower().endswith(names.DELIVERY):
            yield f"the stack_suffix of {name} does not end in {names.DELIVERY[1:]}, as other delivery stacks' names do"
    if (size := len(cfn_yaml.dump(template).encode())) > TEMPLATE_BODY:
        yield f"it has at most {TEMPLATE_BODY:,} bytes, not {size:,}"


def _reads_bundle(properties: Mapping[str, Any]) -> bool:
    """Whether the pipeline's first stage takes the template bundle, by which its runs are known."""
    stages = properties.get("Stages")
    actions = stages[0].get("Actions", []) if isinstance(stages, list) and stages else []
    return any(action.get("Name") == names.SOURCE_ACTION for action in actions)


def _changes_with_bundle(properties: Mapping[str, Any]) -> bool:
    """Whether a variable of the pipeline has the digest of the bundle as its default."""
    return any(one.get("DefaultValue") == {"Ref": names.BUNDLE_DIGEST} for one in properties.get("Variables", []))


def _problems_with_stages(manifest: Mapping[str, Any]) -> Iterator[str]:
    for name, source in manifest.get("parameters", {}).items():
        if "plan" in source:
            yield f"{name} cannot come from the plan"
