# SPDX-License-Identifier: Apache-2.0
"""The values a blueprint's parameters can ask for by name: a small closed set (law 11).

Each look-up takes a checked request and answers a value, or raises Wrong with what to correct.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib import images, names
from chalicelib.errors import Problem
from chalicelib.request import Body


class Wrong(Exception):
    """A look-up found the request wrong."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.problem)
        self.problem = problem


@dataclass
class Asked:
    """What a look-up may look at, and where it leaves its warnings."""

    body: Body
    source: Mapping[str, Any]  # the parameter's entry in the manifest
    region: str
    identity: str
    digest: str  # the request's
    warnings: list[Problem] = field(default_factory=list)


def training_image(asked: Asked) -> str:
    """The framework's image for training."""
    return _image(asked, images.training_image, "/instance_type")


def inference_image(asked: Asked) -> str:
    """The custom image, or the framework's; empty when a model package says it."""
    if "model_package_name" in asked.body:
        return ""
    if "custom_image_uri" in asked.body:
        return str(asked.body["custom_image_uri"])
    return _image(asked, images.inference_image, "/inference_instance")


def job_name(asked: Asked) -> str:
    """The job name that was asked for, or one made of the identity and the request's digest."""
    return str(asked.body.get("job_name") or names.job_name(asked.identity, asked.source["kind"], asked.digest))


# Families whose volumes are local and encrypt themselves, so that SageMaker refuses a key for them:
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html (VolumeKmsKeyId) and
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-store-volumes.html
_LOCAL_STORAGE = re.compile(r"ml\.([a-z]+[0-9]+[a-z]*d[a-z]*|g5|g6e?|g7e?|p5|p5en?|trn1n?|trn2|dl1|i[0-9][a-z]*)\.")


def volume_kms_key(asked: Asked) -> str:
    """The key for the instances' volumes; none where the instance type's storage is local."""
    key = str(asked.body.get("kms_key_arn", ""))
    pointer: str = asked.source["instance"]
    instance = asked.body[pointer.removeprefix("/")]
    if key and _LOCAL_STORAGE.match(instance):
        asked.warnings.append(
            Problem("/kms_key_arn", f"{instance} encrypts its own local storage: the key is used for everything else")
        )
        return ""
    return key


def _image(asked: Asked, find: Callable[[str, str, str, str], str], instance: str) -> str:
    paths = {
        "framework": "/model_framework",
        "version": "/model_framework_version",
        "instance_type": instance,
        "region": "/model_framework",
    }
    body = asked.body
    # Only a request whose instance type is wrong comes without one: its framework is looked at all the same.
    instance_type = body.get(instance.removeprefix("/"), "ml.m5.large")
    try:
        return find(body["model_framework"], body["model_framework_version"], asked.region, instance_type)
    except images.ImageError as error:
        raise Wrong(Problem(paths[error.about], error.problem, error.hint)) from None


LOOKUPS: Mapping[str, Callable[[Asked], str]] = {
    look_up.__name__: look_up for look_up in (training_image, inference_image, job_name, volume_kms_key)
}
