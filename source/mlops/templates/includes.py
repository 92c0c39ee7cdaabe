# SPDX-License-Identifier: Apache-2.0
"""Puts in what templates share: `Include: name` stands for the part of that name in `_parts`.

In a mapping the part's keys are merged in, and the keys beside `Include` win. In a list, an item that is nothing but an
`Include` is replaced by the part, or by its items where the part is a list. There are no arguments and no expressions:
what differs from template to template is a parameter or a condition, which the part refers to (see bindings.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlops.templates.errors import BlueprintError

INCLUDE = "Include"


def resolve(node: Any, parts: Mapping[str, Any], where: str) -> Any:
    """The node with every include below it resolved; raises BlueprintError for a part that is missing or unfit."""
    return _resolved(node, parts, where, ())


def included(node: Any, where: str) -> list[str]:
    """The names in a mapping's `Include`."""
    names = node[INCLUDE]
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BlueprintError(f"{where}: Include is not a name or a list of names")
    return names


def stands_for_items(node: Any) -> bool:
    """Whether an item of a list is to be replaced."""
    return isinstance(node, dict) and set(node) == {INCLUDE}


def part(name: str, parts: Mapping[str, Any], where: str) -> Any:
    """The part of a name."""
    if name not in parts:
        raise BlueprintError(f"{where} includes {name!r}, which is not in _parts")
    return parts[name]


def _resolved(node: Any, parts: Mapping[str, Any], where: str, within: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [one for item in node for one in _items(item, parts, where, within)]
    if not isinstance(node, dict):
        return node
    merged: dict[str, Any] = {}
    for name, found in _parts_of(node, parts, where, within):
        if not isinstance(found, dict):
            raise BlueprintError(f"{where} includes {name!r} in a mapping, but the part is not a mapping")
        merged |= found
    return merged | {key: _resolved(value, parts, where, within) for key, value in node.items() if key != INCLUDE}


def _items(item: Any, parts: Mapping[str, Any], where: str, within: tuple[str, ...]) -> Iterator[Any]:
    if not stands_for_items(item):
        yield _resolved(item, parts, where, within)
        return
    for _, found in _parts_of(item, parts, where, within):
        yield from found if isinstance(found, list) else [found]


def _parts_of(
    node: Mapping[str, Any], parts: Mapping[str, Any], where: str, within: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """The parts that a mapping includes, with what they include themselves."""
    for name in included(node, where) if INCLUDE in node else ():
        if name in within:
            raise BlueprintError(f"{where} includes {name!r}, which includes itself")
        yield name, _resolved(part(name, parts, where), parts, where, (*within, name))
