# SPDX-License-Identifier: Apache-2.0
"""What a template's parts call each other by: finds the names that stand for nothing, and renames."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from mlops.templates.cfn_yaml import Template

_IN_TEXT = re.compile(r"\$\{([^!}][^}]*)\}")
_API_PARTS = "AWS::ApiGateway::"
_SNAPSHOT = "AWS::ApiGateway::Deployment"


def unresolved(template: Template) -> list[str]:
    """Every name in a template that nothing has, with the intrinsic that uses it, as text."""
    return sorted(f"{use} {name}" for use, name in lost(template))


def lost(template: Template) -> set[tuple[str, str]]:
    """Every name in a template that nothing has, behind the intrinsic that uses it."""
    named = {
        section: set(template.get(section, {})) for section in ("Parameters", "Resources", "Conditions", "Mappings")
    }
    known = {
        "Ref": named["Parameters"] | named["Resources"],
        "Fn::GetAtt": named["Resources"],
        "DependsOn": named["Resources"],
        "Condition": named["Conditions"],
        "Fn::FindInMap": named["Mappings"],
    }
    return {(use, str(name)) for use, name in _uses(template) if not _stands(str(name), known[use])}


def snapshot_apis(template: Template) -> Template:
    """The template with each API deployment named after what it deploys.

    CloudFormation makes a deployment once, as a snapshot: for a changed API to reach its stage, it takes another one.
    """
    resources: dict[str, Any] = template.get("Resources", {})
    parts = {
        name: resource
        for name, resource in resources.items()
        if resource["Type"].startswith(_API_PARTS) and resource["Type"] not in (_SNAPSHOT, "AWS::ApiGateway::Stage")
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
    names = {name: f"{name}{digest}" for name, resource in resources.items() if resource["Type"] == _SNAPSHOT}
    if not names:
        return template
    renamed: Template = _renamed(template, names)
    renamed["Resources"] = {names.get(name, name): resource for name, resource in renamed["Resources"].items()}
    return renamed


def _stands(name: str, known: set[str]) -> bool:
    return name in known or name.startswith("AWS::")


def _uses(template: Template) -> Iterator[tuple[str, str]]:
    for section in ("Conditions", "Resources", "Outputs", "Rules"):
        yield from _in(template.get(section, {}))
    for part in (*template.get("Resources", {}).values(), *template.get("Outputs", {}).values()):
        if "Condition" in part:
            yield "Condition", part["Condition"]
        for name in _listed(part.get("DependsOn", [])):
            yield "DependsOn", name
    yield from _conditions(template.get("Conditions", {}))


def _in(node: Any) -> Iterator[tuple[str, str]]:
    """The names that intrinsics under a node use."""
    if isinstance(node, list):
        for item in node:
            yield from _in(item)
    if not isinstance(node, dict):
        return
    match next(iter(node.items()), None):
        case ("Ref", str(name)):
            yield "Ref", name
        case ("Fn::GetAtt", str(name)) | ("Fn::GetAtt", [str(name), *_]):
            yield "Fn::GetAtt", name.partition(".")[0]
        case ("Fn::If", [str(name), *_]):
            yield "Condition", name
        case ("Fn::FindInMap", [str(name), *_]):
            yield "Fn::FindInMap", name
        case ("Fn::Sub", str(text)):
            yield from _in_sub(text, {})
        case ("Fn::Sub", [str(text), dict(own)]):
            yield from _in_sub(text, own)
    for item in node.values():
        yield from _in(item)


def _in_sub(text: str, own: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in set(_IN_TEXT.findall(text)) - set(own):
        resource, dot, _ = name.partition(".")
        yield "Fn::GetAtt" if dot else "Ref", resource


def _conditions(node: Any) -> Iterator[tuple[str, str]]:
    """The conditions that other conditions are made of; elsewhere a key Condition means other things, too."""
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        if isinstance(item, dict) and isinstance(item.get("Condition"), str):
            yield "Condition", item["Condition"]
        yield from _conditions(item)


def _renamed(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_renamed(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _renamed(item, names) for key, item in node.items()}
    match next(iter(found.items()), None):
        case ("Ref", str(name)):
            found["Ref"] = names.get(name, name)
        case ("Fn::GetAtt", [str(name), *attributes]):
            found["Fn::GetAtt"] = [names.get(name, name), *attributes]
        case ("Fn::Sub", str(text)):
            found["Fn::Sub"] = _IN_TEXT.sub(lambda match: _in_text(match[1], names), text)
        case ("Fn::Sub", [str(text), *own]):
            found["Fn::Sub"] = [_IN_TEXT.sub(lambda match: _in_text(match[1], names), text), *own]
    if "DependsOn" in found and "Type" in found:
        depends = [names.get(name, name) for name in _listed(found["DependsOn"])]
        found["DependsOn"] = depends if isinstance(found["DependsOn"], list) else depends[0]
    return found


def _in_text(name: str, names: dict[str, str]) -> str:
    resource, dot, attribute = name.partition(".")
    return f"${{{names.get(resource, resource)}{dot}{attribute}}}"


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
