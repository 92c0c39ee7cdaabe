# SPDX-License-Identifier: Apache-2.0
"""What things are called. Names follow from the request alone, so the same request finds what it made before."""

from __future__ import annotations

import re

STACK_NAME = 128  # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
JOB_NAME = 63  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
DELIVERY = "-codepipeline"
PIPELINE_OUTPUT = "PipelineName"  # of a delivery stack
SOURCE_ACTION = "S3Source"  # of a delivery pipeline: takes the template bundle
RUN_ACTION = "run_jobs"  # of a delivery pipeline: starts the state machine
BUNDLES = "mlops_provisioned_pipelines"


def pipeline_name(prefix: str, identity: str, stack_suffix: str) -> str:
    """The name of a pipeline."""
    return f"{prefix}-{identity.strip()}-{stack_suffix}".lower()


def longest_identity(prefix: str, stack_suffix: str) -> int:
    """How long a pipeline's identity may be for its longest stack name still to fit."""
    return STACK_NAME - len(delivery_stack(pipeline_name(prefix, "", stack_suffix)))


def delivery_stack(name: str) -> str:
    """The stack that holds a pipeline's delivery pipeline."""
    return f"{name}{DELIVERY}"


def is_delivery_stack(stack: str) -> bool:
    """Whether a stack of this name is a pipeline's delivery stack."""
    return stack.endswith(DELIVERY)


def of_delivery_stack(stack: str) -> str:
    """The pipeline of a delivery stack; the name of a pipeline is itself."""
    return stack.removesuffix(DELIVERY)


def bundle_key(name: str) -> str:
    """Where a pipeline's template bundle lies in the bundle bucket."""
    return f"{BUNDLES}/{name}/template.zip"


def bundle_folder(beginning: str) -> str:
    """What the keys of the bundles begin with whose pipelines' names begin so."""
    return f"{BUNDLES}/{beginning}"


def of_bundle_folder(folder: str) -> str:
    """The pipeline whose bundle lies in a folder."""
    return folder.removeprefix(f"{BUNDLES}/").rstrip("/")


def job_name(identity: str, kind: str, digest: str, limit: int = JOB_NAME) -> str:
    """`<identity>-<kind>-<4 of the digest>`, the identity cut so that it fits."""
    ending = f"-{kind}-{digest[:4]}"
    return identity.strip()[: limit - len(ending)].rstrip("-") + ending


def is_stack_name(text: str) -> bool:
    """Whether a text can be a stack's name."""
    return re.fullmatch(f"[A-Za-z][A-Za-z0-9-]{{0,{STACK_NAME - 1}}}", text) is not None


def same_role(one: str, other: str) -> bool:
    """Whether two role ARNs belong to the same resource: a recreated stack's role has another random suffix."""
    return one.rpartition("-")[0] == other.rpartition("-")[0] != ""
