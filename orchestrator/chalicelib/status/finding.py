# SPDX-License-Identifier: Apache-2.0
"""A pipeline's name or id -> its delivery stack, if it is in this deployment."""

from __future__ import annotations

import re

from chalicelib.aws.observed import Phase, Stack
from chalicelib.aws.port import Cloud
from chalicelib.delivery import stacks_of
from chalicelib.errors import NotFound
from chalicelib.names import delivery_stack, is_delivery_stack, is_stack_name
from chalicelib.planning.plan import OWNER_TAG
from chalicelib.quoting import shown
from chalicelib.settings import Settings

_UNIQUE = re.compile(r"[A-Za-z0-9-]+")  # the last part of a stack's ARN


def find(pipeline_id: str, settings: Settings, cloud: Cloud) -> Stack:
    """The delivery stack for a name or an id.

    Raises NotFound if there is none in this deployment.
    """
    candidates = (cloud.stack(name) for name in _candidates(pipeline_id, settings))
    delivery = next((stack for stack in candidates if stack and is_owned(stack, settings)), None)
    if delivery is None:
        raise NotFound(f"There is no pipeline {shown(pipeline_id)} in this deployment.")
    return delivery


def _candidates(pipeline_id: str, settings: Settings) -> list[str]:
    """The stacks that an id can refer to. The orchestrator has no permission to read others."""
    own = f"arn:{settings.partition}:cloudformation:{settings.aws_region}:{settings.account}:stack/"
    name, _, unique = pipeline_id.removeprefix(own).partition("/")
    if not is_stack_name(name) or not name.startswith(f"{settings.pipeline_stack_name}-"):
        return []
    if pipeline_id.startswith(own) and _UNIQUE.fullmatch(unique):
        return [pipeline_id]
    if pipeline_id != name:
        return []
    return [name] if is_delivery_stack(name) else [delivery_stack(name), name]


def is_owned(stack: Stack, settings: Settings) -> bool:
    """Whether a stack belongs to this deployment and is not deleted. AWS still describes deleted stacks by their id."""
    return stack.tags.get(OWNER_TAG) == settings.orchestrator_stack and stack.phase is not Phase.GONE


def deployed_stacks(delivery: Stack, cloud: Cloud) -> tuple[Stack | None, ...]:
    """The stacks that a delivery stack's pipeline deploys, one for each stage; None where there is none."""
    return tuple(cloud.stack(name) for name in stacks_of(delivery.name))


def delivery_stack_of(name: str, settings: Settings, cloud: Cloud) -> Stack | None:
    """The delivery stack of the pipeline with a name; None if there is none in this deployment."""
    found = (cloud.stack(stack) for stack in (delivery_stack(name), name))
    return next((stack for stack in found if stack and is_owned(stack, settings)), None)
