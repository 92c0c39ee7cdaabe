# SPDX-License-Identifier: Apache-2.0
"""The way in: bytes -> a checked request. The same door serves the API and `mlops validate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib import hyperparameters, names, parameters, reach, validate
from chalicelib.canonical import canonical
from chalicelib.catalog import Blueprint, Catalog
from chalicelib.echo import shown
from chalicelib.errors import BadRequest, Problem
from chalicelib.request import parse
from chalicelib.settings import Settings


@dataclass(frozen=True)
class Checked:
    """A request that nothing is wrong with, and what follows from it."""

    pipeline_type: str
    blueprint: Blueprint
    name: str  # of the pipeline
    parameters: Mapping[str, str]  # of the blueprint's template
    rerun: bool
    warnings: tuple[Problem, ...]


def check(raw: bytes, catalog: Catalog, settings: Settings, *, deployed: bool = True) -> Checked:
    """Check a request's bytes for a deployment. Without one (`deployed` is false) its reach is not checked.

    Raises BadRequest with every problem in it.
    """
    written = parse(raw)
    blueprint = catalog.find(written.get("pipeline_type"))
    pipeline_type: str = written["pipeline_type"]
    variant, schema = blueprint.schema(pipeline_type, settings.use_model_registry)
    tidied = canonical(written, schema, catalog.keys)
    body = tidied.body
    known = {problem.path for problem in tidied.problems}
    found = validate.problems(body, schema, catalog.validator(pipeline_type, variant), blueprint.rules)
    problems = tidied.problems + [problem for problem in found if problem.path not in known]
    if deployed:
        problems += reach.problems(body, schema, settings, {problem.path for problem in problems})
    taken = hyperparameters.check(body, schema, {problem.path for problem in problems})
    problems += taken.problems
    rerun = body.pop("rerun")
    wrong = {problem.path for problem in problems}
    values = parameters.evaluate(body, blueprint, settings, wrong)
    problems += values.problems
    identity = body.get(blueprint.identity.removeprefix("/"))
    suffix: str = blueprint.pipeline_types[pipeline_type]["stack_suffix"]
    if blueprint.identity not in wrong:
        problems += _too_long(identity, blueprint.identity, settings.pipeline_stack_name, suffix)
    if problems:
        many = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        raise BadRequest(f"{many} in this {pipeline_type} request", sorted(problems, key=lambda one: one.path))
    return Checked(
        pipeline_type=pipeline_type,
        blueprint=blueprint,
        name=names.pipeline_name(settings.pipeline_stack_name, str(identity), suffix),
        parameters=values.parameters,
        rerun=rerun,
        warnings=tuple(tidied.warnings + taken.warnings + values.warnings),
    )


def _too_long(identity: object, path: str, prefix: str, suffix: str) -> list[Problem]:
    longest = names.longest_identity(prefix, suffix)
    if not isinstance(identity, str) or len(identity) <= longest:
        return []
    problem = f"{shown(identity)} has {len(identity)} characters, too many for the names of its stacks"
    return [Problem(path, problem, f"at most {longest}")]
