# SPDX-License-Identifier: Apache-2.0
"""Reads CloudFormation templates in YAML, merges parts of a template, and converts SAM to plain CloudFormation."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlops.deploy.errors import TemplateError
from mlops.templates import cfn_yaml, includes
from mlops.templates.folder import PARTS, BlueprintError

Template = dict[str, Any]


def load(path: Path) -> Template:
    """The template in a YAML file, with intrinsic functions in their long form."""
    try:
        content = cfn_yaml.load(path.read_text(encoding="utf-8"))
    except cfn_yaml.YAMLError as error:
        raise TemplateError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise TemplateError(f"{path} is not a mapping")
    return content


def load_folder(folder: Path) -> dict[str, Template]:
    """The templates of a folder by their files' names; what they include is in its folder `_parts`."""
    parts = {path.stem: load(path) for path in sorted((folder / PARTS).glob("*.yaml"))}
    try:
        return {path.name: includes.resolve(load(path), parts, path.name) for path in sorted(folder.glob("*.yaml"))}
    except BlueprintError as error:
        raise TemplateError(str(error)) from error


def merge(pieces: Iterable[tuple[str, Template]]) -> Template:
    """Merge named parts, section by section. A key in two parts is an error."""
    whole: Template = {}
    origin: dict[tuple[str, str], str] = {}
    for name, piece in pieces:
        for section, content in piece.items():
            if not isinstance(content, dict):
                content = {section: content}
                target = whole
            else:
                target = whole.setdefault(section, {})
            for key, value in content.items():
                first = origin.setdefault((section, key), name)
                if first != name:
                    raise TemplateError(f"{section}: {key} is in {first} and in {name}")
                target[key] = value
    return whole


def replace(node: Any, key: str, values: Mapping[str, Any]) -> Any:
    """The tree with every `{key: name}` replaced by the value of that name, recursively."""
    if isinstance(node, dict):
        if set(node) == {key}:
            return replace(values[node[key]], key, values)
        return {name: replace(child, key, values) for name, child in node.items()}
    if isinstance(node, list):
        return [replace(child, key, values) for child in node]
    return node


def plain(sam: Template, region: str) -> Template:
    """Plain CloudFormation from SAM, with AWS's own translator, so that the template needs no Transform."""
    # Imported here, because it takes a second and installing does not need it.
    import boto3
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    # It logs a warning about its own usage metrics.
    logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)
    session = boto3.Session(region_name=region)
    translated: Template = Translator({}, Parser(), boto_session=session).translate(sam, {})
    translated.pop("Transform", None)
    # SAM adds Metadata about the origin of its resources, which is not needed.
    for resource in translated["Resources"].values():
        resource.pop("Metadata", None)
    return translated


def dump(template: Template) -> str:
    """The template as JSON, without aliases and tags, which is fast to parse."""
    return json.dumps(template, indent=1, ensure_ascii=False) + "\n"
