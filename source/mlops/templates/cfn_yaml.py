# SPDX-License-Identifier: Apache-2.0
"""CloudFormation's YAML: reads the short tags (!Ref, !Sub …) into their long form, writes it without aliases."""

from typing import Any

import yaml

YAMLError = yaml.YAMLError

Template = dict[str, Any]


_FastestLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast


class _Loader(_FastestLoader):  # type: ignore[misc]
    """SafeLoader that knows CloudFormation's short tags and refuses duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"duplicate keys: {sorted(twice)}", node.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _short_tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_tag)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # CloudFormation refuses YAML aliases


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def load(text: str) -> Any:
    """Parse CloudFormation YAML; intrinsics come out in their long form."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)


def dump(template: Template) -> str:
    """Write a template as YAML that CloudFormation reads: no tags, no aliases, keys in the order given."""
    return yaml.dump(template, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
