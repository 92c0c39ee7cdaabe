# SPDX-License-Identifier: Apache-2.0
"""A checked request x settings -> Plan: everything that is to exist, as plain data.

No clock, no random part, no AWS call: requests equal in canonical form give equal plans, digests and bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import delivery, names
from chalicelib.catalog import Catalog
from chalicelib.delivery import Stage
from chalicelib.errors import Problem
from chalicelib.intake.check import CheckedRequest
from chalicelib.intake.parameters import as_json
from chalicelib.intake.preconditions import Precondition
from chalicelib.planning import bundle
from chalicelib.settings import Settings

OWNER_TAG = "mlops_orchestrator"  # on a delivery stack: the orchestrator that made it
TYPE_TAG = "pipeline_type"


@dataclass(frozen=True)
class Plan:
    """One pipeline as it shall be."""

    name: str
    pipeline_type: str
    digest: str  # of the bundle: SHA-256, in hexadecimal digits
    bundle_key: str
    bundle: bytes
    stages: tuple[Stage, ...]  # in the order of their deployment
    immutable: tuple[str, ...]  # template parameters that may not change once deployed
    delivery_template: str
    delivery_parameters: Mapping[str, str]
    tags: Mapping[str, str]  # of the delivery stack, the same for as long as it lives
    role: str  # that CloudFormation works as, for every stack
    rerun: bool
    warnings: tuple[Problem, ...]
    preconditions: tuple[Precondition, ...] = ()  # only AWS knows them: checked before anything is written

    @property
    def delivery_stack(self) -> str:
        """The stack that holds the delivery pipeline."""
        return names.delivery_stack(self.name)

    @property
    def stacks(self) -> tuple[str, ...]:
        """The names of the stacks it deploys, in the order of its stages."""
        return tuple(stage.stack for stage in self.stages)


def make(checked: CheckedRequest, settings: Settings, catalog: Catalog) -> Plan:
    """Plan a checked request."""
    template_file = f"{checked.blueprint.name}.yaml"
    delivered = delivery.single(checked.name, checked.parameters)
    configurations = {
        stage.parameters_file: as_json({"Parameters": stage.parameters, "StackPolicy": STACK_POLICY})
        for stage in delivered.stages
    }
    packed = bundle.pack({template_file: checked.blueprint.template, **configurations})
    delivery_template, delivery_digest = catalog.delivery(delivered.template)
    key = names.bundle_key(checked.name)
    return Plan(
        name=checked.name,
        pipeline_type=checked.pipeline_type,
        digest=hashlib.sha256(packed).hexdigest(),
        bundle_key=key,
        bundle=packed,
        stages=delivered.stages,
        immutable=checked.blueprint.immutable,
        delivery_template=delivery_template,
        delivery_parameters={
            **delivered.template_parameters,
            "BundleBucket": settings.bundle_bucket,
            "TemplateZipFileName": key,
            "TemplateFileName": template_file,
            "ArtifactBucket": settings.artifact_bucket,
            "PipelineRoleArn": settings.pipeline_role_arn,
            "CloudFormationRoleArn": settings.cfn_role_arn,
            "RunStage": "Yes" if checked.blueprint.run else "No",
            "DeliveryDigest": delivery_digest,
        },
        tags={
            "stack_name": names.delivery_stack(checked.name),
            TYPE_TAG: checked.pipeline_type,
            OWNER_TAG: settings.orchestrator_stack,
        },
        role=settings.cfn_role_arn,
        rerun=checked.rerun,
        warnings=checked.warnings,
        preconditions=checked.preconditions,
    )


# Law 6: what serves or watches is never replaced or deleted by an update.
STACK_POLICY: Mapping[str, Any] = {
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["Update:Replace", "Update:Delete"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {"ResourceType": ["AWS::SageMaker::Endpoint", "AWS::SageMaker::MonitoringSchedule"]}
            },
        },
    ]
}
