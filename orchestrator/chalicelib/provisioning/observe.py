# SPDX-License-Identifier: Apache-2.0
"""A pipeline's names -> the observed state."""

from __future__ import annotations

from chalicelib.aws.observed import Observed, Stack
from chalicelib.aws.port import Cloud, PipelineGone, PipelineNames
from chalicelib.names import PIPELINE_OUTPUT


def observe(pipeline: PipelineNames, cloud: Cloud, deployed: tuple[Stack | None, ...]) -> Observed:
    """The observed state of a pipeline; the deployed stacks were looked up before."""
    delivery = cloud.stack(pipeline.delivery_stack)
    bundle = cloud.bundle(pipeline.bundle_key)
    physical = delivery.outputs.get(PIPELINE_OUTPUT) if delivery else None
    try:
        return Observed(delivery, deployed, bundle, cloud.latest_execution(physical) if physical else None)
    except PipelineGone:
        return Observed(delivery, deployed, bundle, pipeline_gone=True)


def deployed_stacks(pipeline: PipelineNames, cloud: Cloud) -> tuple[Stack | None, ...]:
    """The stack of each stage; None if it does not exist."""
    return tuple(cloud.stack(name) for name in pipeline.stacks)
