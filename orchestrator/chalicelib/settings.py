# SPDX-License-Identifier: Apache-2.0
"""The deployment's settings, read once from the environment that the main template sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, get_type_hints

CATALOG = Path(__file__).parent / "catalog"


@dataclass(frozen=True)
class Settings:
    """Where this orchestrator works and what it may use. Names are those of the environment, in lower case.

    What has a description, blueprints may ask for.
    """

    aws_region: str
    pipeline_stack_name: str
    orchestrator_stack: str
    assets_bucket: Annotated[str, "The bucket of data, models and template bundles"]
    blueprint_bucket: Annotated[str, "The distribution bucket of this region"]
    blueprint_prefix: Annotated[str, "Where the functions lie in the distribution bucket"]
    artifact_bucket: str
    cfn_role_arn: str
    pipeline_role_arn: str
    permissions_boundary_arn: Annotated[str, "The limit of every role a blueprint makes"]
    mlops_notifications_sns_topic: str
    is_multi_account: bool
    use_model_registry: bool
    allow_detailed_error_message: bool
    catalog: Path = CATALOG

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings; raises KeyError naming the variable that is missing."""
        values: dict[str, object] = {}
        for one in fields(cls):
            if one.name == "catalog":
                continue
            text = environment[one.name.upper()]
            values[one.name] = text in ("Yes", "True", "true") if one.type == "bool" else text
        if "MLOPS_CATALOG" in environment:
            values["catalog"] = Path(environment["MLOPS_CATALOG"])
        return cls(**values)  # type: ignore[arg-type]

    @property
    def notifications_topic_arn(self) -> str:
        """The topic under the name that blueprints know it by."""
        return self.mlops_notifications_sns_topic

    @property
    def partition(self) -> str:
        """The AWS partition: aws, aws-cn, aws-us-gov."""
        return self.cfn_role_arn.split(":")[1]

    @property
    def account(self) -> str:
        """The account's id."""
        return self.cfn_role_arn.split(":")[4]


def for_blueprints() -> dict[str, str]:
    """The settings that blueprints may ask for, each with what its parameter is described as."""
    hints = get_type_hints(Settings, include_extras=True)
    described = {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}
    return {**described, "notifications_topic_arn": "The topic that people are told by"}
