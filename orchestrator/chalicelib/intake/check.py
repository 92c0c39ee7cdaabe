# SPDX-License-Identifier: Apache-2.0
"""Bytes -> a checked request, for the API and for `mlops validate`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from chalicelib import delivery, names
from chalicelib.catalog import ARTIFACT, REGISTRY, Blueprint, Catalog
from chalicelib.errors import BadRequest, Code, Problem
from chalicelib.intake import hyperparameters, parameters, preconditions, reach, references, rules, tuning, validate
from chalicelib.intake.canonical import canonical
from chalicelib.intake.preconditions import Precondition
from chalicelib.intake.references import Reference
from chalicelib.intake.request import Body, parse
from chalicelib.quoting import pointer, shown
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
    unresolved: Mapping[str, Reference] = field(default_factory=dict)  # field -> what only AWS can tell its value of
    preconditions: tuple[Precondition, ...] = ()  # what must be so in AWS before anything is written


def check_request(
    raw: bytes,
    catalog: Catalog,
    settings: Settings,
    *,
    deployed: bool = True,
    resolved: Mapping[str, str] | None = None,
) -> CheckedRequest:
    """Check a request's bytes for a deployment, see `check_body`."""
    return check_body(parse(raw), catalog, settings, deployed=deployed, resolved=resolved)


def check_body(
    written: Body,
    catalog: Catalog,
    settings: Settings,
    *,
    deployed: bool = True,
    resolved: Mapping[str, str] | None = None,
) -> CheckedRequest:
    """Check a parsed request for a deployment. Without one (`deployed` is false) reach.py is not applied.

    `resolved` has the values of fields that only AWS can resolve (see resolve.py); without it they stay unresolved.
    Raises BadRequest with every problem.
    """
    blueprint = catalog.find(written.get("pipeline_type"))
    pipeline_type: str = written["pipeline_type"]
    given = {key for key, value in written.items() if str(value).strip()}
    registry = settings.use_model_registry or blueprint.takes_package(pipeline_type, given)
    variant, schema = blueprint.schema(pipeline_type, registry)
    form = canonical(written, schema, catalog.keys)
    body = form.body
    for name, value in (resolved or {}).items():
        del body[name]
        body[schema["properties"][name]["x-resolves"]] = value
    form.problems += _two_models(blueprint, pipeline_type, given)
    known = {problem.path for problem in form.problems}
    found = validate.problems(body, schema, catalog.validator(pipeline_type, variant), blueprint.rules)
    problems = form.problems + [problem for problem in found if problem.path not in known]
    if deployed:
        problems += reach.problems(body, schema, settings, {problem.path for problem in problems})
    hyperparameter_findings = hyperparameters.check(body, schema, {problem.path for problem in problems})
    problems += hyperparameter_findings.problems
    search = tuning.check(body, schema, {problem.path for problem in problems})
    problems += search.problems
    rerun = body.pop("rerun")
    wrong = {problem.path for problem in problems}
    values = parameters.evaluate(body, blueprint, settings, wrong)
    problems += values.problems
    identity = body.get(blueprint.identity.removeprefix("/"))
    suffix: str = blueprint.pipeline_types[pipeline_type]["stack_suffix"]
    if blueprint.identity not in wrong:
        problems += _too_long(identity, blueprint, settings.pipeline_stack_name, suffix)
    if not delivery.is_supported(blueprint.delivery, settings):
        problems.append(_unsupported(pipeline_type))
    unresolved = references.unresolved(body, schema)
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
            *search.warnings,
            *values.warnings,
            *rules.warnings(body, blueprint.rules, wrong),
            *(_resolved_later(*one) for one in unresolved.items()),
        ),
        unresolved=unresolved,
        preconditions=preconditions.of(body, schema),
    )


def _resolved_later(name: str, reference: Reference) -> Problem:
    problem = f"resolved when the request is sent, to {reference.stands_for}"
    return Problem(f"/{name}", Code.RESOLVED_LATER, problem)


def _two_models(blueprint: Blueprint, pipeline_type: str, given: Collection[str]) -> list[Problem]:
    """The keys that say how to make a model, in a request that also names one in the registry."""
    packages = sorted(blueprint.own_keys(pipeline_type, REGISTRY).intersection(given))
    others = sorted(blueprint.own_keys(pipeline_type, ARTIFACT).intersection(given)) if packages else []
    problem = f"cannot be used together with /{''.join(packages[:1])}, which names a model in the registry"
    return [Problem(pointer(key), Code.CONFLICT, problem, "remove one of them") for key in others]


def _unsupported(pipeline_type: str) -> Problem:
    return Problem(
        "/pipeline_type",
        Code.NOT_SUPPORTED,
        f"{pipeline_type} deploys to dev, staging and prod in a multi-account deployment, which is not supported yet",
        "use a single-account deployment",
    )


def _too_long(identity: object, blueprint: Blueprint, prefix: str, suffix: str) -> list[Problem]:
    if not isinstance(identity, str):
        return []
    name = names.pipeline_name(prefix, identity, suffix)
    over = len(delivery.delivery_stack(name, blueprint.delivery != delivery.OWN)) - names.STACK_NAME
    if over <= 0:
        return []
    problem = f"{shown(identity)} has {len(identity)} characters, too many for the names of its stacks"
    return [Problem(blueprint.identity, Code.TOO_LONG, problem, f"at most {len(identity) - over}")]
