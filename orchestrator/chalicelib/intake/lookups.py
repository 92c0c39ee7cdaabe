# SPDX-License-Identifier: Apache-2.0
"""The values that parameters of a blueprint can name: a small closed set (law 11).

Each lookup takes a checked request and returns a value, or raises LookupFailed with what to correct.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib import names
from chalicelib.errors import Code, Problem
from chalicelib.images import uris
from chalicelib.images.instances import has_local_storage
from chalicelib.intake.request import Body


class LookupFailed(Exception):
    """A lookup found a problem in the request."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.problem)
        self.problem = problem


class FieldAbsent(Exception):
    """A lookup read a field that the request does not have."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass
class LookupContext:
    """What a lookup may read, and where it puts its warnings."""

    body: Body
    source: Mapping[str, Any]  # the parameter's entry in the manifest
    partition: str
    region: str
    identity: str
    digest: str  # the request's
    template: str  # the blueprint's
    warnings: list[Problem] = field(default_factory=list)
    image_accounts: frozenset[str] = frozenset()  # this account, and those that the installer allows

    def value(self, path: str) -> Any:
        """The value of a field, by its JSON pointer. Raises FieldAbsent."""
        name = path.removeprefix("/")
        if name not in self.body:
            raise FieldAbsent(path)
        return self.body[name]

    def warn(self, path: str, code: Code, problem: str, hint: str = "") -> None:
        """Add a warning."""
        self.warnings.append(Problem(path, code, problem, hint))


@dataclass(frozen=True)
class Lookup:
    """One lookup: the function, the fields of the request it reads, and its arguments."""

    find: Callable[[LookupContext], str]
    fields: tuple[str, ...]
    arguments: Mapping[str, str]  # keys beside it in the manifest, all of them needed -> what each is

    @property
    def description(self) -> str:
        """The description of a parameter that uses it."""
        return (self.find.__doc__ or "").partition("\n")[0].rstrip(".")


LOOKUPS: dict[str, Lookup] = {}
FIELD, WORD = "field", "word"


def _lookup(
    *fields: str, **arguments: str
) -> Callable[[Callable[[LookupContext], str]], Callable[[LookupContext], str]]:
    """Decorator: register the function as the lookup of its name, with the fields it reads and the arguments it needs.

    An argument is FIELD, the pointer to a field, or WORD, a part of a name.
    """

    def register(find: Callable[[LookupContext], str]) -> Callable[[LookupContext], str]:
        LOOKUPS[find.__name__] = Lookup(find, fields, arguments)
        return find

    return register


@_lookup("/model_framework", "/model_framework_version", "/instance_type")
def training_image(context: LookupContext) -> str:
    """The container image for training."""
    return _image(context, uris.training_image, "/instance_type")


@_lookup(
    "/model_package_name", "/custom_image_uri", "/model_framework", "/model_framework_version", "/inference_instance"
)
def inference_image(context: LookupContext) -> str:
    """The container image for inference; empty if the model package has it."""
    if "model_package_name" in context.body:
        package = str(context.body["model_package_name"])
        if re.search(r":model-package/[^/]+$", package):
            problem = "has no version: SageMaker treats it as a model package that is in no group"
            group = package.partition("/")[2]
            hint = f"for a package in a group, append its version: '{package}/1', or write only the group: '{group}'"
            context.warn("/model_package_name", Code.NO_PACKAGE_VERSION, problem, hint)
        return ""
    if "custom_image_uri" in context.body:
        return str(context.body["custom_image_uri"])
    return _image(context, uris.inference_image, "/inference_instance")


@_lookup("/model_package_group_name", "/model_framework", "/model_framework_version", "/instance_type")
def registered_image(context: LookupContext) -> str:
    """The container image of the registered model, for inference; empty if the model is not registered."""
    if not context.body.get("model_package_group_name"):
        return ""
    # Who deploys the model chooses the instance: the image for CPUs, unless the framework has none.
    cpu = replace(context, body={**context.body, "instance_type": _CPU})
    try:
        return _image(cpu, uris.inference_image, "/instance_type")
    except LookupFailed:
        try:
            return _image(context, uris.inference_image, "/instance_type")
        except LookupFailed as failed:
            problem = f"the model cannot be registered: {failed.problem.problem}"
            raise LookupFailed(replace(failed.problem, path="/model_package_group_name", problem=problem)) from None


@_lookup()
def base_image_accounts(context: LookupContext) -> str:
    """The accounts with images to build on, separated by commas: this one, AWS's own, and those that are allowed."""
    return ",".join(sorted(context.image_accounts | uris.registry_accounts_in(context.region)))


@_lookup("/algo_hyperparameters")
def code_location(context: LookupContext) -> str:
    """Bucket and key of a script's code, of its S3 URI in the hyperparameters; empty if the code is not in S3."""
    given = context.body.get("algo_hyperparameters")
    uri = str(given.get("sagemaker_submit_directory", "") if isinstance(given, dict) else "").strip('"')
    return uri.removeprefix("s3://") if uri.startswith("s3://") else ""


@_lookup("/job_name", kind=WORD)
def job_name(context: LookupContext) -> str:
    """The name of the job: job_name of the request, or a name made from the identity and the request's digest."""
    limit: int = context.source.get("limit", names.JOB_NAME)  # the compiler knows that of the kind of job
    made = names.job_name(context.identity, context.source["kind"], context.digest, limit)
    name = str(context.body.get("job_name") or made)
    if len(name) > limit:
        problem = f"has {len(name)} characters, too many for the name of such a job"
        raise LookupFailed(Problem("/job_name", Code.TOO_LONG, problem, f"at most {limit}"))
    return name


@_lookup()
def request_digest(context: LookupContext) -> str:
    """A value that changes with the request and with the template."""
    return hashlib.sha256(f"{context.digest}{context.template}".encode()).hexdigest()[:8]


@_lookup("/kms_key_arn")
def kms_key(context: LookupContext) -> str:
    """The KMS key of the request."""
    key = str(context.body.get("kms_key_arn", ""))
    here = f"arn:{context.partition}:kms:{context.region}:"
    if key and not key.startswith(here):
        there = key.removesuffix(key.split(":", 4)[4])
        problem = f"the key is in {there}, the pipeline in {here}: AWS will reject the key"
        context.warn("/kms_key_arn", Code.OTHER_REGION, problem)
    return key


@_lookup("/kms_key_arn", instance=FIELD)
def volume_kms_key(context: LookupContext) -> str:
    """The KMS key of the instances' volumes; empty for instances that encrypt their local storage themselves."""
    key = kms_key(context)
    instance = str(context.value(context.source["instance"]))
    if key and has_local_storage(instance):
        problem = f"not used for the volumes of {instance}, which encrypts its local storage; used for all other data"
        context.warn("/kms_key_arn", Code.NOT_APPLIED, problem)
        return ""
    return key


def _image(context: LookupContext, find: Callable[[str, str, str, str], str], instance: str) -> str:
    paths = {
        "framework": "/model_framework",
        "version": "/model_framework_version",
        "instance_type": instance,
        "region": "/model_framework",
    }
    # Only a request whose instance type is wrong comes without one: its framework is checked all the same.
    instance_type = context.body.get(instance.removeprefix("/"), _CPU)
    framework, version = context.value("/model_framework"), context.value("/model_framework_version")
    try:
        return find(framework, version, context.region, instance_type)
    except uris.ImageError as error:
        code = _CODES.get(type(error), Code.NO_IMAGE)
        raise LookupFailed(Problem(paths[error.about], code, error.problem, error.hint)) from None


_CPU = "ml.m5.large"
_CODES = {uris.UnknownFramework: Code.UNKNOWN_FRAMEWORK, uris.UnknownVersion: Code.UNKNOWN_VERSION}
