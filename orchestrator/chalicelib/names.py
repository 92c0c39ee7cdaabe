# SPDX-License-Identifier: Apache-2.0
"""What things are called. Names follow from the request alone, so the same request finds what it made before."""

from __future__ import annotations

import hashlib
import re

STACK_NAME = 128  # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
JOB_NAME = 63  # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
DELIVERY = "-codepipeline"
PIPELINE_OUTPUT = "PipelineName"  # of a delivery stack
BUNDLE_DIGEST = "BundleDigest"  # a parameter of a pipeline's own stack
SOURCE_ACTION = "S3Source"  # of a delivery pipeline: takes the template bundle
RUN_ACTION = "run_jobs"  # of a delivery pipeline: starts the state machine
BUNDLES = "mlops_provisioned_pipelines"
IDENTITY_DIGEST = 6  # characters


def pipeline_name(prefix: str, identity: str, stack_suffix: str) -> str:
    """The name of a pipeline."""
    return f"{prefix}-{_in_names(identity.strip().lower())}-{stack_suffix}".lower()


def _in_names(identity: str) -> str:
    """An identity as it stands in names: as it is if stack names may have all of its characters.

    Else each other character is a hyphen, and a digest of the identity follows: 1.0 and 1-0 are different pipelines.
    """
    plain = re.sub("[^a-z0-9-]", "-", identity)
    return plain if plain == identity else f"{plain}-{hashlib.sha256(identity.encode()).hexdigest()[:IDENTITY_DIGEST]}"


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


def is_build(external: str) -> bool:
    """Whether what an action started is a build of CodeBuild: `<project>:<uuid>`."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]+:[0-9a-f-]{36}", external) is not None


def is_stack_name(text: str) -> bool:
    """Whether a text can be a stack's name."""
    return re.fullmatch(f"[A-Za-z][A-Za-z0-9-]{{0,{STACK_NAME - 1}}}", text) is not None


def same_role(one: str, other: str) -> bool:
    """Whether two role ARNs belong to the same resource: a recreated stack's role has another random suffix."""
    return one.rpartition("-")[0] == other.rpartition("-")[0] != ""
