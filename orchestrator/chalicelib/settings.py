# SPDX-License-Identifier: Apache-2.0
"""The deployment's settings, read once from the environment that the main template sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

CATALOG = Path(__file__).parent / "catalog"


@dataclass(frozen=True)
class Settings:
    """Where this orchestrator works and what it may use. Names are those of the environment, in lower case."""

    aws_region: str
    pipeline_stack_name: str
    orchestrator_stack: str
    assets_bucket: str
    blueprint_bucket: str
    blueprint_prefix: str
    artifact_bucket: str
    cfn_role_arn: str
    pipeline_role_arn: str
    permissions_boundary_arn: str
    mlops_notifications_sns_topic: str
    is_multi_account: bool
    use_model_registry: bool
    allow_detailed_error_message: bool
    catalog: Path = CATALOG

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings; raises KeyError naming the variable that is missing."""
        values: dict[str, object] = {}
        for field in fields(cls):
            if field.name == "catalog":
                continue
            text = environment[field.name.upper()]
            values[field.name] = text in ("Yes", "True", "true") if field.type == "bool" else text
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
