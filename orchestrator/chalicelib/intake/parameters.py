# SPDX-License-Identifier: Apache-2.0
"""Canonical body x Blueprint x Settings -> the values of the template's parameters, as the manifest says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.catalog import Blueprint
from chalicelib.errors import Code, Problem
from chalicelib.intake.lookups import LOOKUPS, FieldAbsent, LookupContext, LookupFailed
from chalicelib.intake.places import at
from chalicelib.intake.request import Body
from chalicelib.settings import Settings

PARAMETER_BYTES = 4096  # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html


@dataclass(frozen=True)
class Values:
    """The parameters' values, with their warnings and problems."""

    parameters: Mapping[str, str]
    warnings: list[Problem]
    problems: list[Problem]


def evaluate(body: Body, blueprint: Blueprint, settings: Settings, wrong: set[str]) -> Values:
    """Every parameter of a blueprint's template.

    Fields in `wrong` (JSON pointers) are left out, and with them the parameters that need them, so that the problems of
    a bad request still come together.
    """
    usable = {key: value for key, value in body.items() if f"/{key}" not in wrong}
    found = Values({}, [], [])
    parameters: dict[str, str] = {}
    digest = hashlib.sha256(as_json(body).encode()).hexdigest()
    for parameter, source in blueprint.parameters.items():
        if "plan" in source:
            continue  # planning/plan.py adds it
        try:
            value = _value(source, usable, blueprint, settings, digest, found.warnings)
        except LookupFailed as error:
            found.problems.append(error.problem)
            continue
        except FieldAbsent:
            if wrong:
                continue
            raise  # a defect of the blueprint: its lookup reads a field that requests may omit
        if (size := len(value.encode())) > PARAMETER_BYTES:
            found.problems.append(
                Problem(
                    source.get("from", ""), Code.TOO_LONG, f"has {size} bytes as JSON", f"at most {PARAMETER_BYTES}"
                )
            )
        parameters[parameter] = value
    return Values(parameters, found.warnings, found.problems)


def _value(
    source: Mapping[str, Any],
    body: Body,
    blueprint: Blueprint,
    settings: Settings,
    digest: str,
    warnings: list[Problem],
) -> str:
    if "from" in source:
        value = at(body, source["from"])
        return list_text(value) if source.get("list") else parameter_text(value)
    if "setting" in source:
        return str(getattr(settings, source["setting"]))
    if "lookup" in source:
        identity = str(body.get(blueprint.identity.removeprefix("/"), ""))  # empty only where it is wrong
        template = blueprint.template
        accounts = settings.image_accounts | {settings.account}
        context = LookupContext(
            body, source, settings.partition, settings.aws_region, identity, digest, template, warnings, accounts
        )
        return LOOKUPS[source["lookup"]].find(context)
    return str(source["constant"])


def parameter_text(value: Any) -> str:
    """A canonical value as CloudFormation takes a parameter: True/False, digits, text or JSON; nothing is empty."""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True) if value else ""
    return str(value)


def list_text(value: Any) -> str:
    """A canonical list as CloudFormation takes a CommaDelimitedList: no item has a comma in it. No list is empty."""
    return ",".join(parameter_text(item) for item in value) if isinstance(value, list) else ""


def as_json(value: Any) -> str:
    """JSON that is the same for equal values."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
