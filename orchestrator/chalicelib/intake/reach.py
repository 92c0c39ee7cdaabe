# SPDX-License-Identifier: Apache-2.0
"""Canonical body x schema x Settings -> the problems of a request that names what the installer did not allow.

A field's annotation `x-names` says what it names. Buckets, images, model packages and keys are this account's, AWS's
own, or listed in a parameter of the main template: a role of the pipeline will reach what the request names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chalicelib.catalog import Schema
from chalicelib.errors import Code, Problem
from chalicelib.images import uris
from chalicelib.intake.places import described
from chalicelib.intake.request import Body
from chalicelib.settings import Settings

Refusal = tuple[str, str] | None  # the problem and the hint


def problems(body: Body, schema: Schema, settings: Settings, wrong: set[str]) -> list[Problem]:
    """Everything in a canonical body that requests may not name; fields in `wrong` (JSON pointers) are not checked."""
    found = []
    for path, value, about in described(body, schema):
        if "x-names" not in about or path in wrong or not isinstance(value, str) or not value:
            continue
        if refusal := _NAMED[about["x-names"]](value, settings):
            found.append(Problem(path, Code.NOT_REACHABLE, *refusal))
    return found


def _bucket(location: str, settings: Settings) -> Refusal:
    bucket = location.partition("/")[0]
    if bucket == settings.assets_bucket or bucket in settings.data_buckets:
        return None
    return (
        f"the bucket {bucket!r} is not allowed in requests",
        f"use the assets bucket, {settings.assets_bucket!r}, or {_add(repr(bucket), 'DataBuckets', settings)}",
    )


def _s3_uri(uri: str, settings: Settings) -> Refusal:
    """A URI as text, or as JSON text; a path in the container is none."""
    location = uri.strip('"')
    return _bucket(location.removeprefix("s3://"), settings) if location.startswith("s3://") else None


def _image(uri: str, settings: Settings) -> Refusal:
    account, _, _, region, _ = uri.split(".", 4)
    if region != settings.aws_region:
        return (
            f"the image is in {region}, and the pipeline in {settings.aws_region}",
            f"SageMaker pulls images from its own Region: push the image to a repository in {settings.aws_region}",
        )
    if account in uris.registry_accounts():
        return None
    return _account(account, "images", settings.image_accounts, "ImageAccounts", settings)


def _model_package(name_or_arn: str, settings: Settings) -> Refusal:
    if not name_or_arn.startswith("arn:"):
        return None  # a group of this account
    _, _, _, region, account, _ = name_or_arn.split(":")
    if region != settings.aws_region:
        return (
            f"the model package is in {region}, and the pipeline in {settings.aws_region}",
            f"SageMaker creates models from packages of its own Region: register the model in {settings.aws_region}",
        )
    return _account(account, "model packages", settings.image_accounts, "ImageAccounts", settings)


def _key(arn: str, settings: Settings) -> Refusal:
    return _account(arn.split(":")[4], "keys", settings.key_accounts, "KeyAccounts", settings)


def _account(account: str, what: str, listed: frozenset[str], parameter: str, settings: Settings) -> Refusal:
    if account == settings.account or account in listed:
        return None
    return (
        f"{what} of the account {account} are not allowed in requests",
        f"use one of this account, or {_add(account, parameter, settings)}",
    )


def _add(value: str, parameter: str, settings: Settings) -> str:
    return f"add {value} to the parameter {parameter} of the stack {settings.orchestrator_stack}"


_NAMED: Mapping[str, Callable[[str, Settings], Refusal]] = {
    "bucket": _bucket,
    "image": _image,
    "key": _key,
    "model_package": _model_package,
    "s3_uri": _s3_uri,
}
KINDS = frozenset(_NAMED)
