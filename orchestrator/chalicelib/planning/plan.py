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
from chalicelib.catalog import Blueprint, Catalog
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
    belongs_to: Mapping[str, str]  # template parameters that another request with the name must share -> their fields
    identity: str  # the field that the name is made of
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
        return delivery.delivery_stack(self.name, bool(self.stages))

    @property
    def stacks(self) -> tuple[str, ...]:
        """The names of the stacks it deploys, in the order of its stages."""
        return tuple(stage.stack for stage in self.stages)


def make(checked: CheckedRequest, settings: Settings, catalog: Catalog) -> Plan:
    """Plan a checked request."""
    blueprint = checked.blueprint
    template_file = f"{blueprint.name}.yaml"
    own = blueprint.delivery == delivery.OWN
    delivered = None if own else delivery.single(checked.name, checked.parameters)
    stages = delivered.stages if delivered else ()
    configurations = {
        stage.parameters_file: as_json({"Parameters": stage.parameters, "StackPolicy": STACK_POLICY})
        for stage in stages
    } or {delivery.PARAMETERS_FILE: as_json({"Parameters": checked.parameters})}
    packed = bundle.pack({template_file: blueprint.template, **configurations})
    digest = hashlib.sha256(packed).hexdigest()
    key = names.bundle_key(checked.name)
    if delivered:
        delivery_template, delivery_digest = catalog.delivery(delivered.template)
        delivery_parameters = {
            **delivered.template_parameters,
            "BundleBucket": settings.bundle_bucket,
            "TemplateZipFileName": key,
            "TemplateFileName": template_file,
            "ArtifactBucket": settings.artifact_bucket,
            "PipelineRoleArn": settings.pipeline_role_arn,
            "CloudFormationRoleArn": settings.cfn_role_arn,
            "RunStage": "Yes" if blueprint.run else "No",
            "DeliveryDigest": delivery_digest,
        }
    else:
        delivery_template = blueprint.template
        delivery_parameters = {**checked.parameters, **_of_plan(blueprint, bundle_key=key, bundle_digest=digest)}
    return Plan(
        name=checked.name,
        pipeline_type=checked.pipeline_type,
        digest=digest,
        bundle_key=key,
        bundle=packed,
        stages=stages,
        immutable=blueprint.immutable,
        belongs_to=_belongs_to(blueprint),
        identity=blueprint.identity.removeprefix("/"),
        delivery_template=delivery_template,
        delivery_parameters=delivery_parameters,
        tags={
            "stack_name": delivery.delivery_stack(checked.name, bool(stages)),
            TYPE_TAG: checked.pipeline_type,
            OWNER_TAG: settings.orchestrator_stack,
        },
        role=settings.cfn_role_arn,
        rerun=checked.rerun,
        warnings=checked.warnings,
        preconditions=checked.preconditions,
    )


def _of_plan(blueprint: Blueprint, **values: str) -> dict[str, str]:
    """The parameters of a template that has the pipeline itself, of which the plan knows the values."""
    return {name: values[source["plan"]] for name, source in blueprint.parameters.items() if "plan" in source}


def _belongs_to(blueprint: Blueprint) -> dict[str, str]:
    """The parameters of the fields that a pipeline belongs to."""
    return {
        name: source["from"].removeprefix("/")
        for name, source in blueprint.parameters.items()
        if source.get("from") in blueprint.belongs_to
    }


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
