# SPDX-License-Identifier: Apache-2.0
"""The JSONPaths of batch transform: which part of a record a filter selects.

SageMaker supports a subset: `$`, `.name`, `['name', …]`, `[index, …]`, `[start:end]` and `*`. The end of a slice is
included ("$[1:4] specifies the second through fifth columns"), indexes from the end are negative. Rules:
https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html#data-processing-operators
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias


class PathError(Exception):
    """A path that SageMaker does not support, or that selects what a record does not have."""


@dataclass(frozen=True)
class Names:
    """`.name`: one member. `['a', 'b']`: an object of these members."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Slice:
    """From `first` to `last`, both included; None: from the beginning, to the end."""

    first: int | None
    last: int | None


@dataclass(frozen=True)
class Places:
    """`[1]`: one item. `[0, 5:]`: a list of items."""

    places: tuple[int | Slice, ...]


@dataclass(frozen=True)
class Every:
    """`*`: all members of an object, or all items of a list."""


Step: TypeAlias = Names | Places | Every

_STEP = re.compile(r"\.(?P<name>[^.\[\]*'\" ,:()?@]+)|\.(?P<every>\*)|\.?\[(?P<inside>[^\[\]]*)\]")
_NAME = re.compile(r" *'([^']+)' *")
_PLACE = re.compile(r" *(?:(-?\d+)|(-?\d+)?:(-?\d+)?) *")


@dataclass(frozen=True)
class Path:
    """A parsed path."""

    text: str
    steps: tuple[Step, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it selects all of a record."""
        return not self.steps

    @property
    def is_of_rows(self) -> bool:
        """Whether it can select from a row of CSV, which is a list: at most one step, of indexes."""
        return len(self.steps) <= 1 and not any(isinstance(step, Names) for step in self.steps)

    def select(self, value: Any) -> Any:
        """What the path selects of a JSON value; raises PathError if it has no such part."""
        found, is_list = [value], False
        for step in self.steps:
            several = isinstance(step, Every) or (isinstance(step, Places) and _is_several(step.places))
            found = [one for item in found for one in self._step(step, item)]
            is_list = is_list or several
        return found if is_list else found[0]

    def _step(self, step: Step, value: Any) -> Iterable[Any]:
        match step, value:
            case Names((name,)), dict():
                return [self._member(value, name)]
            case Names(names), dict():
                return [{name: self._member(value, name) for name in names}]
            case Places(places), list():
                return [value[index] for place in places for index in self._indexes(place, len(value))]
            case Every(), dict():
                return value.values()
            case Every(), list():
                return value
        kind = "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a single value"
        raise PathError(f"the JSONPath {self.text} cannot select from {kind}")

    def _member(self, value: dict[str, Any], name: str) -> Any:
        if name not in value:
            raise PathError(f"the JSONPath {self.text} selects {name!r}, which the record does not have")
        return value[name]

    def _indexes(self, place: int | Slice, length: int) -> Sequence[int]:
        if isinstance(place, Slice):
            first = 0 if place.first is None else place.first + length * (place.first < 0)
            last = length - 1 if place.last is None else place.last + length * (place.last < 0)
            return range(max(first, 0), min(last, length - 1) + 1)
        if not -length <= place < length:
            raise PathError(f"the JSONPath {self.text} selects the index {place} of {length} values")
        return [place]


WHOLE = Path("$", ())


def parse(text: str) -> Path:
    """A path as written -> its steps; raises PathError."""
    if not text:
        return WHOLE
    if not text.startswith("$"):
        raise PathError(f"the JSONPath {text!r} does not begin with '$'")
    return Path(text, tuple(_steps(text)))


def _steps(text: str) -> Iterator[Step]:
    position = 1
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise PathError(f"the JSONPath {text!r} is not supported from {text[position:]!r}")
        position = step.end()
        if step["name"]:
            yield Names((step["name"],))
        elif step["every"] or step["inside"] == "*":
            yield Every()
        else:
            yield _bracket(text, step["inside"])


def _bracket(text: str, inside: str) -> Step:
    parts = inside.split(",")
    names = [_NAME.fullmatch(part) for part in parts]
    if all(names):
        return Names(tuple(name[1] for name in names if name))
    places = [_PLACE.fullmatch(part) for part in parts]
    if not all(places):
        raise PathError(f"the JSONPath {text!r} is not supported from '[{inside}]'")
    return Places(tuple(_place(place) for place in places if place))


def _place(found: re.Match[str]) -> int | Slice:
    index, first, last = (None if one is None else int(one) for one in found.groups())
    return Slice(first, last) if index is None else index


def _is_several(places: tuple[int | Slice, ...]) -> bool:
    return len(places) > 1 or isinstance(places[0], Slice)
