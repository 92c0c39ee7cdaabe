# SPDX-License-Identifier: Apache-2.0
"""Where a place in a compiled template comes from: the file, a part's perhaps, and the line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from mlops.templates.folder import CONDITIONS, PARTS, Folder
from mlops.templates.includes import INCLUDE
from mlops.templates.run_job import NODE


class Place(NamedTuple):
    """A node of a file, and the line that leads to it."""

    node: yaml.Node | None
    file: Path
    line: int


class Source:
    """The files that a compiled template was made of."""

    def __init__(self, blueprints: Path, folder: Folder) -> None:
        self._manifest = f"{folder.name}/blueprint.yaml"
        self._template = blueprints / folder.name / "template.yaml"
        self._parts = blueprints / PARTS

    def line(self, path: Sequence[str | int]) -> str:
        """Where a path of the compiled template comes from, as file:line: path."""
        pointer = "/".join(map(str, path))
        if path[:1] == ["Parameters"]:
            return f"{self._manifest}: {pointer}"
        depth, place = max(
            self._reached(Place(_nodes(self._template), self._template, 1), path, 0), key=lambda one: one[0]
        )
        shared = self._parts / f"{CONDITIONS}.yaml"
        if path[:1] == ["Conditions"] and depth < 2 and shared.exists():
            depth, place = max(self._reached(Place(_nodes(shared), shared, 1), path[1:], 1), key=lambda one: one[0])
        where = f"{place.file.parent.name}/{place.file.name}"
        return f"{where}:{place.line}: {pointer}" if depth > 1 else f"{where}: {pointer}"

    def _reached(self, place: Place, path: Sequence[str | int], depth: int) -> Iterator[tuple[int, Place]]:
        """How far each way along a path leads, and to which place."""
        yield depth, place
        if path:
            for below in self._below(place, path[0], depth):
                yield from self._reached(below, path[1:], depth + 1)

    def _below(self, place: Place, key: str | int, depth: int) -> Iterator[Place]:
        """The places that a key of the compiled template can come from."""
        if isinstance(place.node, yaml.SequenceNode) and isinstance(key, int):
            yield from list(self._items(place))[key : key + 1]
        if not isinstance(place.node, yaml.MappingNode):
            return
        for name, value in place.node.value:
            # The logical id of an API's deployment ends in a digest (references.snapshot_apis), and the states made
            # of a RunJob begin with its state's name.
            made = str(key).startswith(name.value) and _value(value, NODE) is not None
            if name.value == str(key) or (depth == 1 and name.value == str(key)[:-8]) or made:
                yield Place(value, place.file, name.start_mark.line + 1)
            if name.value == NODE:
                yield from self._below(Place(value, place.file, name.start_mark.line + 1), key, depth)
        for part in self._included(place.node):
            yield from self._below(part, key, depth)

    def _items(self, place: Place) -> Iterator[Place]:
        """The items of a list, with those of the parts in it."""
        for item in place.node.value if place.node else ():
            if isinstance(item, yaml.MappingNode) and [key.value for key, _ in item.value] == [INCLUDE]:
                for part in self._included(item):
                    yield from self._items(part) if isinstance(part.node, yaml.SequenceNode) else [part]
            else:
                yield Place(item, place.file, item.start_mark.line + 1)

    def _included(self, node: yaml.MappingNode) -> Iterator[Place]:
        names = _value(node, INCLUDE)
        for name in names.value if isinstance(names, yaml.SequenceNode) else [names] if names else ():
            file = self._parts / f"{name.value}.yaml"
            if file.exists():
                included = _nodes(file)
                yield Place(included, file, included.start_mark.line + 1 if included else 1)


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of a mapping's key."""
    found = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in found if name.value == key), None)


@cache
def _nodes(file: Path) -> yaml.Node | None:
    return yaml.compose(file.read_text("utf-8"), Loader=yaml.SafeLoader)
