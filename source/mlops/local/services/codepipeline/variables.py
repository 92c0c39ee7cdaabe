# SPDX-License-Identifier: Apache-2.0
"""References to variables in an action's configuration: `#{SourceVariables.VersionId}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_REFERENCE = re.compile(r"#\{([A-Za-z0-9@\-_]+)\.([A-Za-z0-9@\-_.]+)\}")

Namespaces = Mapping[str, Mapping[str, str]]


class UnknownVariable(Exception):
    """A configuration names a variable that no earlier action made."""


def references(text: str) -> Iterator[tuple[str, str]]:
    """(namespace, variable) of each reference in a text."""
    for found in _REFERENCE.finditer(text):
        yield found[1], found[2]


def resolve(text: str, namespaces: Namespaces) -> str:
    def value(found: re.Match[str]) -> str:
        try:
            return namespaces[found[1]][found[2]]
        except KeyError:
            raise UnknownVariable(
                f"An action configuration value contains an unresolved variable reference: {found[0]}"
            ) from None

    return _REFERENCE.sub(value, text)
