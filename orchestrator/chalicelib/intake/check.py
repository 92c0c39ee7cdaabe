# SPDX-License-Identifier: Apache-2.0
"""Bytes -> a checked request, for the API and for `mlops validate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib import delivery, names
from chalicelib.catalog import Blueprint, Catalog
from chalicelib.errors import BadRequest, Code, Problem
from chalicelib.intake import hyperparameters, parameters, reach, validate
from chalicelib.intake.canonical import canonical
from chalicelib.intake.request import parse
from chalicelib.quoting import shown
from chalicelib.settings import Settings


@dataclass(frozen=True)
class CheckedRequest:
    """A valid request, and what follows from it."""

    pipeline_type: str
    blueprint: Blueprint
    name: str  # of the pipeline
    parameters: Mapping[str, str]  # of the blueprint's template
    rerun: bool
    warnings: tuple[Problem, ...]
    unresolved: Mapping[str, str] = field(default_factory=dict)  # field -> the pipeline whose model it stands for


def check_request(
    raw: bytes,
    catalog: Catalog,
    settings: Settings,
    *,
    deployed: bool = True,
    resolved: Mapping[str, str] | None = None,
) -> CheckedRequest:
    """Check a request's bytes for a deployment. Without one (`deployed` is false) reach.py is not applied.

    `resolved` has the values of fields that only AWS can resolve (see resolve.py); without it they stay unresolved.
    Raises BadRequest with every problem.
    """
    written = parse(raw)
    blueprint = catalog.find(written.get("pipeline_type"))
    pipeline_type: str = written["pipeline_type"]
    variant, schema = blueprint.schema(pipeline_type, settings.use_model_registry)
    form = canonical(written, schema, catalog.keys)
    body = form.body
    for name, value in (resolved or {}).items():
        del body[name]
        body[schema["properties"][name]["x-resolves"]] = value
    known = {problem.path for problem in form.problems}
    found = validate.problems(body, schema, catalog.validator(pipeline_type, variant), blueprint.rules)
    problems = form.problems + [problem for problem in found if problem.path not in known]
    if deployed:
        problems += reach.problems(body, schema, settings, {problem.path for problem in problems})
    hyperparameter_findings = hyperparameters.check(body, schema, {problem.path for problem in problems})
    problems += hyperparameter_findings.problems
    rerun = body.pop("rerun")
    wrong = {problem.path for problem in problems}
    values = parameters.evaluate(body, blueprint, settings, wrong)
    problems += values.problems
    identity = body.get(blueprint.identity.removeprefix("/"))
    suffix: str = blueprint.pipeline_types[pipeline_type]["stack_suffix"]
    if blueprint.identity not in wrong:
        problems += _too_long(identity, blueprint.identity, settings.pipeline_stack_name, suffix)
    if not delivery.is_supported(blueprint.delivery, settings):
        problems.append(_unsupported(pipeline_type))
    unresolved = {
        name: body[name] for name, one in schema["properties"].items() if "x-resolves" in one and name in body
    }
    if problems:
        many = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        raise BadRequest(f"{many} in this {pipeline_type} request", sorted(problems, key=lambda one: one.path))
    return CheckedRequest(
        pipeline_type=pipeline_type,
        blueprint=blueprint,
        name=names.pipeline_name(settings.pipeline_stack_name, str(identity), suffix),
        parameters=values.parameters,
        rerun=rerun,
        warnings=(
            *form.warnings,
            *hyperparameter_findings.warnings,
            *values.warnings,
            *(_resolved_later(*one) for one in unresolved.items()),
        ),
        unresolved=unresolved,
    )


def _resolved_later(name: str, pipeline: str) -> Problem:
    problem = f"resolved when the request is sent, to the model of the last successful run of {pipeline}"
    return Problem(f"/{name}", Code.RESOLVED_LATER, problem)


def _unsupported(pipeline_type: str) -> Problem:
    return Problem(
        "/pipeline_type",
        Code.NOT_SUPPORTED,
        f"{pipeline_type} deploys to dev, staging and prod in a multi-account deployment, which is not supported yet",
        "use a single-account deployment",
    )


def _too_long(identity: object, path: str, prefix: str, suffix: str) -> list[Problem]:
    longest = names.longest_identity(prefix, suffix)
    if not isinstance(identity, str) or len(identity) <= longest:
        return []
    problem = f"{shown(identity)} has {len(identity)} characters, too many for the names of its stacks"
    return [Problem(path, Code.TOO_LONG, problem, f"at most {longest}")]
