# SPDX-License-Identifier: Apache-2.0
"""Makes plain CloudFormation out of a blueprint's template.yaml: parts, jobs, conditions, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlops.templates import bindings, includes, manifest, parameters, pipeline, references, run_job, schema
from mlops.templates.cfn_yaml import Template
from mlops.templates.folder import BlueprintError, Folder, Parts, check_sections
from mlops.templates.schema import Schema

RUN_OUTPUT = "StateMachineVersionArn"  # what the delivery pipeline's last stage starts
_SECTIONS = ("Metadata", "Rules", "Mappings", "Conditions", "Resources", "Outputs")
_HEAD = ("AWSTemplateFormatVersion", "Description", "Parameters")


def assemble(folder: Folder, parts: Parts) -> tuple[Folder, Template]:
    """The folder with a source for every parameter of its template, and the template as plain CloudFormation.

    Raises BlueprintError naming the file and what does not hold together in it.
    """
    where = f"{folder.name}/template.yaml"
    fields = schema.properties_of(folder, parts)
    manifest.check(folder, fields)
    template, name_limits = run_job.expand(_sections(folder.template, parts, where), where)
    template = includes.resolve(template, parts.pieces, where)
    template, sources = bindings.bind(template, folder.manifest.get("parameters", {}), fields, parts)
    folder = replace(folder, manifest={**folder.manifest, "parameters": sources})
    manifest.check(folder, fields)
    _limit_names(sources, name_limits)
    whole: Template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": folder.manifest["summary"],
        "Parameters": _parameters(folder, template, fields),
        **{section: template[section] for section in _SECTIONS if template.get(section)},
    }
    pipeline.check(folder.manifest, whole, where)
    if folder.manifest.get("run") and RUN_OUTPUT not in template.get("Outputs", {}):
        raise BlueprintError(f"{where}: with `run: true` it has the output {RUN_OUTPUT}")
    return folder, references.snapshot_apis(resolved(where, whole))


def resolved(where: str, template: Template) -> Template:
    """The template, in which every name stands for something; BlueprintError tells the others."""
    lost = references.unresolved(template)
    if lost:
        raise BlueprintError(f"{where}: undefined names: {', '.join(lost)}")
    return template


def _sections(template: Template, parts: Parts, where: str) -> Template:
    """The template's sections, and those of the parts that it includes at its top."""
    for key in template:
        if key not in (*_SECTIONS, *_HEAD, includes.INCLUDE):
            raise BlueprintError(f"{where}: {key!r} is not a template section")
    sources: list[Template] = [{key: value for key, value in template.items() if key != includes.INCLUDE}]
    for name in includes.included(template, where) if includes.INCLUDE in template else ():
        piece = includes.part(name, parts.pieces, where)
        if not isinstance(piece, dict) or not set(piece) <= set(_SECTIONS):
            raise BlueprintError(
                f"{where} includes {name!r} at its top, which has keys that are not sections of a template"
            )
        check_sections(piece, f"_parts/{name}.yaml")
        sources.append(piece)
    merged: Template = {key: template[key] for key in _HEAD if key in template}
    for section in _SECTIONS:
        for source in sources:
            for name, value in source.get(section, {}).items():
                if name in merged.setdefault(section, {}):
                    raise BlueprintError(f"{where}: {section}/{name}: duplicate key")
                merged[section][name] = value
    found: Template = includes.resolve(merged, parts.pieces, where)
    check_sections(found, where)
    return found


def _parameters(folder: Folder, template: Template, fields: dict[str, Schema]) -> dict[str, Any]:
    types = folder.manifest["pipeline_types"].values()
    required = set.intersection(*(set(one.get("required", [])) for one in types))
    declared = parameters.declare(folder.name, folder.manifest["parameters"], fields, required)
    complete: dict[str, Any] | None = template.get("Parameters")
    if complete is not None and set(complete) != set(declared):
        raise BlueprintError(
            f"{folder.name}/template.yaml declares its own parameters, and they differ from the manifest's: "
            f"{sorted(set(complete) ^ set(declared))}"
        )
    return complete or declared


def _limit_names(sources: bindings.Sources, limits: Mapping[str, int]) -> None:
    """A job's name that is looked up is as long as its kind allows."""
    for parameter, limit in limits.items():
        if sources.get(parameter, {}).get("lookup") == "job_name":
            sources[parameter] = {**sources[parameter], "limit": limit}
