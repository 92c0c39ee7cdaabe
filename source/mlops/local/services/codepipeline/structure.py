# SPDX-License-Identifier: Apache-2.0
"""Whether a pipeline's declaration makes sense: what CodePipeline checks beyond the shapes of its model."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.codepipeline.actions import PROVIDERS, ActionType
from mlops.local.services.codepipeline.records import SERVICE, pipeline_arn
from mlops.local.services.codepipeline.variables import references

Declaration = dict[str, Any]


def check(declaration: Declaration, caller: Caller) -> None:
    _check_role(declaration, caller)
    stages = declaration["stages"]
    if len(stages) < 2:
        raise _invalid(
            "Structure",
            f"Pipeline has only {len(stages)} stage(s). There should be a minimum of 2 stages in a pipeline",
        )
    _refuse_repeats("Structure", "stage names", [stage["name"] for stage in stages])
    if ("artifactStore" in declaration) == ("artifactStores" in declaration):
        raise _invalid("Structure", "Exactly one of artifactStore and artifactStores must be given")
    if declaration.get("pipelineType", "V1") != "V2":
        _refuse_v2_features(declaration)
    made: set[str] = set()
    namespaces = {"codepipeline", *(["variables"] if declaration.get("variables") else [])}
    for position, stage in enumerate(stages):
        _check_stage(stage, first=position == 0)
        for order in sorted({action.get("runOrder", 1) for action in stage["actions"]}):
            group = [action for action in stage["actions"] if action.get("runOrder", 1) == order]
            for action in group:
                _check_action(action, made, namespaces)
            for action in group:
                outputs = [artifact["name"] for artifact in action.get("outputArtifacts", [])]
                _refuse_repeats("Structure", "output artifact names", [*made, *outputs])
                made.update(outputs)
                if namespace := action.get("namespace"):
                    _refuse_repeats("Structure", "namespaces", [*namespaces, namespace])
                    namespaces.add(namespace)


def _check_role(declaration: Declaration, caller: Caller) -> None:
    try:
        identity.check_role(declaration["roleArn"], SERVICE, caller, pipeline_arn(declaration["name"], caller))
    except ApiError as error:
        raise _invalid(
            "Structure", f"CodePipeline is not authorized to perform AssumeRole on role {declaration['roleArn']}"
        ) from error


def _refuse_v2_features(declaration: Declaration) -> None:
    mode = declaration.get("executionMode", "SUPERSEDED")
    if declaration.get("variables") or declaration.get("triggers") or mode != "SUPERSEDED":
        raise _invalid("Structure", f"Variables, triggers and the execution mode {mode} are for pipelines of type V2")


def _check_stage(stage: dict[str, Any], first: bool) -> None:
    if not stage["actions"]:
        raise _invalid("StageDeclaration", f"Stage '{stage['name']}' should have at least 1 action")
    _refuse_repeats("StageDeclaration", "action names", [action["name"] for action in stage["actions"]])
    sources = [action["actionTypeId"]["category"] == "Source" for action in stage["actions"]]
    if first and not all(sources):
        raise _invalid(
            "StageDeclaration",
            f"Pipeline should start with a stage that only contains source "
            f"actions, and stage '{stage['name']}' has others",
        )
    if not first and any(sources):
        raise _invalid(
            "StageDeclaration", f"Source action(s) can only be in the first stage, not in stage '{stage['name']}'"
        )


def _check_action(action: dict[str, Any], made: set[str], namespaces: set[str]) -> None:
    name, provider = action["name"], _provider(action)
    configuration = action.get("configuration", {})
    problems = [f"unknown key '{key}'" for key in configuration if key not in provider.keys]
    problems += [f"missing key '{key}'" for key in sorted(provider.required) if key not in configuration]
    problems += provider.check(configuration) if not problems else []
    if problems:
        raise _invalid("ActionDeclaration", f"Action configuration for action '{name}' contains {'; '.join(problems)}")
    for key, value in configuration.items():
        for namespace, _ in references(value):
            if namespace not in namespaces:
                raise _invalid(
                    "ActionDeclaration",
                    f"The namespace '{namespace}' in '{key}' of action '{name}' "
                    "is not the namespace of an earlier action",
                )
    for side, limits in (("input", provider.inputs), ("output", provider.outputs)):
        artifacts = action.get(f"{side}Artifacts", [])
        if not limits[0] <= len(artifacts) <= limits[1]:
            raise _invalid(
                "ActionDeclaration",
                f"Action '{name}' has {len(artifacts)} {side} artifacts, "
                f"which is not within {limits[0]} and {limits[1]}",
            )
    for artifact in action.get("inputArtifacts", []):
        if artifact["name"] not in made:
            raise _invalid(
                "StageDeclaration",
                f"Input Artifact Bundle {artifact['name']} in action {name} is not "
                "declared as Output Artifact Bundle in any of the preceding actions",
            )


def _provider(action: dict[str, Any]) -> ActionType:
    kind = action["actionTypeId"]
    found = PROVIDERS.get((kind["category"], kind["owner"], kind["provider"], kind["version"]))
    if found is None:
        raise _invalid(
            "ActionDeclaration",
            f"ActionType (Category: '{kind['category']}', Provider: '{kind['provider']}', Owner: "
            f"'{kind['owner']}', Version: '{kind['version']}') in action '{action['name']}' is not "
            "available in the laptop account",
        )
    return found


def _refuse_repeats(kind: str, what: str, names: list[str]) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise _invalid(kind, f"The {what} must be unique; repeated: {', '.join(repeated)}")


def _invalid(kind: str, message: str) -> ApiError:
    return ApiError(f"Invalid{kind}Exception", message)
