# SPDX-License-Identifier: Apache-2.0
"""The deployment's settings, read once from the environment that the main template sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, get_type_hints

CATALOG = Path(__file__).parent / "catalog"
# The timeout of a request, in API Gateway and of the function:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
REQUEST_SECONDS = 29

_READ: Mapping[str, Callable[[str], object]] = {
    "bool": lambda text: text in ("Yes", "True", "true"),
    "frozenset[str]": lambda text: frozenset(filter(None, map(str.strip, text.split(",")))),
}


@dataclass(frozen=True)
class Settings:
    """Where this orchestrator works and what it may use. Names are those of the environment, in lower case.

    Blueprints may use those that have a description.
    """

    aws_region: str
    pipeline_stack_name: str
    orchestrator_stack: Annotated[str, "The orchestrator's own stack"]
    assets_bucket: Annotated[str, "The bucket of data and models"]
    assets_bucket_kms_key_arn: Annotated[str, "The customer managed key of the assets bucket; empty if it has none"]
    bundle_bucket: Annotated[str, "The bucket of template bundles, which only the orchestrator writes"]
    blueprint_bucket: Annotated[str, "The distribution bucket of this Region"]
    blueprint_prefix: Annotated[str, "The prefix of the functions in the distribution bucket"]
    artifact_bucket: Annotated[str, "The bucket of the artifacts that pipelines pass between their stages"]
    cfn_role_arn: str
    pipeline_role_arn: Annotated[str, "The role that all pipelines work as"]
    permissions_boundary_arn: Annotated[str, "The permissions boundary of every role that a blueprint creates"]
    mlops_notifications_sns_topic: str
    data_buckets: frozenset[str]  # beside the assets bucket, that requests may name
    image_accounts: frozenset[str]  # beside this one and AWS's own, whose images and model packages requests may name
    key_accounts: frozenset[str]  # beside this one, whose KMS keys requests may name
    is_multi_account: bool
    use_model_registry: bool
    allow_detailed_error_message: bool
    catalog: Path = CATALOG

    @classmethod
    def missing(cls, environment: Mapping[str, str]) -> list[str]:
        """The variables that `from_environment` needs and an environment does not have."""
        return [name for one in fields(cls) if one.name != "catalog" and (name := one.name.upper()) not in environment]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings; raises KeyError naming the variable that is missing."""
        values: dict[str, object] = {}
        for one in fields(cls):
            if one.name == "catalog":
                continue
            text = environment[one.name.upper()]
            values[one.name] = _READ.get(str(one.type), str)(text)
        if "MLOPS_CATALOG" in environment:
            values["catalog"] = Path(environment["MLOPS_CATALOG"])
        return cls(**values)  # type: ignore[arg-type]

    @property
    def notifications_topic_arn(self) -> str:
        """The topic under the name that blueprints know it by."""
        return self.mlops_notifications_sns_topic

    @property
    def role_path(self) -> str:
        """The path of every role that a blueprint makes; what may manage and pass such roles names it."""
        return f"/{self.orchestrator_stack}/"

    @property
    def partition(self) -> str:
        """The AWS partition: aws, aws-cn, aws-us-gov."""
        return self.cfn_role_arn.split(":")[1]

    @property
    def account(self) -> str:
        """The account's id."""
        return self.cfn_role_arn.split(":")[4]


def for_blueprints() -> dict[str, str]:
    """The settings that blueprints may use, each with the description of its parameter."""
    hints = get_type_hints(Settings, include_extras=True)
    described = {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}
    return {
        **described,
        "notifications_topic_arn": "The notification topic",
        "role_path": "The path of every role that a blueprint creates",
    }
