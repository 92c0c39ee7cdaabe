# SPDX-License-Identifier: Apache-2.0
"""Reads a buildspec: https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html

In: its text. Out: the commands of each phase; NotABuildspec says what is wrong. Keys that this module does not know are
refused, so that a misspelt one does not go unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PHASES = {"install": "INSTALL", "pre_build": "PRE_BUILD", "build": "BUILD", "post_build": "POST_BUILD"}
_KEYS = {"version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"}
_ENV = {"shell", "variables", "parameter-store", "exported-variables", "secrets-manager", "git-credential-helper"}
_PHASE = {"run-as", "on-failure", "runtime-versions", "commands", "finally"}
_SHELLS = ("bash", "/bin/sh", "powershell.exe", "pwsh", "sh")


class NotABuildspec(ValueError):
    """The message says what is wrong."""


def commands(text: str) -> Mapping[str, list[str]]:
    """The commands of each phase of a buildspec, by the API's name of the phase, in their order."""
    import yaml  # a tenth of a second that the account's start need not wait for

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise NotABuildspec(" ".join(str(error).split())) from error
    if not isinstance(found, dict):
        raise NotABuildspec("it is not a mapping")
    _known(found, _KEYS, "it")
    if str(found.get("version")) not in ("0.1", "0.2"):
        raise NotABuildspec("version is 0.1 or 0.2")
    _check_env(found.get("env", {}))
    phases = found.get("phases")
    if not isinstance(phases, dict) or not phases:
        raise NotABuildspec("phases is a mapping of phases")
    _known(phases, set(PHASES), "phases")
    return {name: _commands(key, phases[key]) for key, name in PHASES.items() if key in phases}


def _commands(name: str, phase: Any) -> list[str]:
    if not isinstance(phase, dict):
        raise NotABuildspec(f"phases/{name} is a mapping")
    _known(phase, _PHASE, f"phases/{name}")
    listed = phase.get("commands", [])
    if not isinstance(listed, list) or not all(isinstance(command, str) for command in listed):
        raise NotABuildspec(f"phases/{name}/commands is a list of strings")
    return listed


def _check_env(env: Any) -> None:
    if not isinstance(env, dict):
        raise NotABuildspec("env is a mapping")
    _known(env, _ENV, "env")
    if env.get("shell", "sh") not in _SHELLS:
        raise NotABuildspec(f"env/shell is one of {', '.join(_SHELLS)}")
    exported = env.get("exported-variables", [])
    if not isinstance(exported, list) or not all(isinstance(one, str) for one in exported):
        raise NotABuildspec("env/exported-variables is a list of names")


def _known(mapping: Mapping[Any, Any], keys: set[str], what: str) -> None:
    if unknown := sorted(str(key) for key in mapping if key not in keys):
        raise NotABuildspec(f"{what} has the unknown keys {', '.join(unknown)}")
