# SPDX-License-Identifier: Apache-2.0
"""The values a blueprint's parameters can ask for by name: a small closed set (law 11).

Each look-up takes a checked request and answers a value, or raises Wrong with what to correct.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.errors import Problem
from chalicelib.images import uris
from chalicelib.intake.request import Body
from chalicelib.planning import names


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
    partition: str
    region: str
    identity: str
    digest: str  # the request's
    template: str  # the blueprint's
    warnings: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class LookUp:
    """One look-up: what finds the value, the fields of the request it reads by itself, and its arguments."""

    find: Callable[[Asked], str]
    fields: tuple[str, ...]
    arguments: Mapping[str, str]  # keys beside it in the manifest, all of them needed -> what each is

    @property
    def description(self) -> str:
        """What a parameter that asks for it is described as."""
        return (self.find.__doc__ or "").partition("\n")[0].rstrip(".")


LOOKUPS: dict[str, LookUp] = {}
FIELD, WORD = "field", "word"


def _reads(*fields: str, **arguments: str) -> Callable[[Callable[[Asked], str]], Callable[[Asked], str]]:
    """Decorator: this function is the look-up of its name, reads these fields, and is given these arguments.

    An argument is FIELD, the pointer to a field, or WORD, a part of a name.
    """

    def register(find: Callable[[Asked], str]) -> Callable[[Asked], str]:
        LOOKUPS[find.__name__] = LookUp(find, fields, arguments)
        return find

    return register


@_reads("/model_framework", "/model_framework_version", "/instance_type")
def training_image(asked: Asked) -> str:
    """The container image that trains."""
    return _image(asked, uris.training_image, "/instance_type")


@_reads(
    "/model_package_name", "/custom_image_uri", "/model_framework", "/model_framework_version", "/inference_instance"
)
def inference_image(asked: Asked) -> str:
    """The container image that serves; empty when the model package says it."""
    if "model_package_name" in asked.body:
        package = str(asked.body["model_package_name"])
        if not re.search(r"/[0-9]+$", package):
            problem = "names no version: SageMaker reads it as a model package that is in no group"
            hint = f"of a model package group, name a version: '{package}/1'"
            asked.warnings.append(Problem("/model_package_name", problem, hint))
        return ""
    if "custom_image_uri" in asked.body:
        return str(asked.body["custom_image_uri"])
    return _image(asked, uris.inference_image, "/inference_instance")


@_reads("/job_name", kind=WORD)
def job_name(asked: Asked) -> str:
    """The job's name: the one that was asked for, or one made of the identity and the request's digest."""
    return str(asked.body.get("job_name") or names.job_name(asked.identity, asked.source["kind"], asked.digest))


@_reads()
def request_digest(asked: Asked) -> str:
    """A text that is another one for every changed request and every changed template"""
    return hashlib.sha256(f"{asked.digest}{asked.template}".encode()).hexdigest()[:8]


# Families whose volumes are local and encrypt themselves, so that SageMaker refuses a key for them:
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html (VolumeKmsKeyId) and
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-store-volumes.html
_LOCAL_STORAGE = re.compile(r"ml\.([a-z]+[0-9]+[a-z]*d[a-z]*|g5|g6e?|g7e?|p5|p5en?|trn1n?|trn2|dl1|i[0-9][a-z]*)\.")


@_reads("/kms_key_arn", instance=FIELD)
def volume_kms_key(asked: Asked) -> str:
    """The key of the instances' volumes; empty where they encrypt their own local storage."""
    key = str(asked.body.get("kms_key_arn", ""))
    here = f"arn:{asked.partition}:kms:{asked.region}:"
    if key and not key.startswith(here):
        there = key.removesuffix(key.split(":", 4)[4])
        asked.warnings.append(
            Problem(
                "/kms_key_arn", f"the key is of {there}, and what it shall encrypt is of {here}: AWS will refuse it"
            )
        )
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
    except uris.ImageError as error:
        raise Wrong(Problem(paths[error.about], error.problem, error.hint)) from None
