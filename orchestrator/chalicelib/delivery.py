# SPDX-License-Identifier: Apache-2.0
"""Where a pipeline deploys to: its delivery template, and one stage for each stack that it deploys.

A blueprint's `delivery` says which deployments have which stages:

home      one stage, in the orchestrator's account
staged    the same in a single-account deployment; dev, staging and prod in a multi-account one (not supported yet)
own       no stage: the blueprint's template has the pipeline, and its stack is the delivery stack

Only this module knows how a delivery template's parameters name the stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib import names
from chalicelib.settings import Settings

STAGED, OWN = "staged", "own"
PARAMETERS_FILE = "template_params.json"


@dataclass(frozen=True)
class Stage:
    """One stage of a delivery: a stack, and the parameters that it is deployed with."""

    stack: str  # its name
    parameters: Mapping[str, str]
    parameters_file: str  # the template configuration's name in the bundle


@dataclass(frozen=True)
class Delivery:
    """A delivery template and its stages."""

    template: str  # its name in the catalog
    stages: tuple[Stage, ...]  # in the order of their deployment
    template_parameters: Mapping[str, str]  # the delivery template's parameters that name the stages


def is_supported(delivery: str, settings: Settings) -> bool:
    """Whether this version can deploy a blueprint with that `delivery` in this deployment."""
    return not (delivery == STAGED and settings.is_multi_account)


def single(pipeline: str, parameters: Mapping[str, str]) -> Delivery:
    """The delivery of a pipeline in one account: its stack has the pipeline's name."""
    (stack,) = stacks(pipeline)
    return Delivery(
        template="single",
        stages=(Stage(stack, parameters, PARAMETERS_FILE),),
        template_parameters={"StackName": stack, "TemplateParamsName": PARAMETERS_FILE},
    )


def stacks(pipeline: str) -> tuple[str, ...]:
    """The names of the stacks that a pipeline with stages deploys, in their order."""
    return (pipeline,)


def stacks_of(delivery_stack: str) -> tuple[str, ...]:
    """The names of the stacks that the pipeline of a delivery stack deploys: none if its delivery is its own."""
    return stacks(names.of_delivery_stack(delivery_stack)) if names.is_delivery_stack(delivery_stack) else ()


def delivery_stack(pipeline: str, has_stages: bool) -> str:
    """The name of the stack that holds a pipeline: without stages, it has the pipeline's name."""
    return names.delivery_stack(pipeline) if has_stages else pipeline
