# SPDX-License-Identifier: Apache-2.0
"""The settings of a deployment that is not there: default names, and placeholders for what only it knows."""

from __future__ import annotations

from dataclasses import fields

from chalicelib.settings import Settings

from mlops.defaults import PIPELINE_PREFIX, STACK_NAME


def assumed(region: str, registry: bool) -> Settings:
    """The settings of a deployment with the default names, and placeholders for what only it knows."""
    known = {
        "AWS_REGION": region,
        "PIPELINE_STACK_NAME": PIPELINE_PREFIX,
        "ORCHESTRATOR_STACK": STACK_NAME,
        "ASSETS_BUCKET_KMS_KEY_ARN": "",
        "CFN_ROLE_ARN": "arn:aws:iam::000000000000:role/cloudformation",
        "IS_MULTI_ACCOUNT": "False",
        "USE_MODEL_REGISTRY": "Yes" if registry else "No",
    }
    names = [field.name.upper() for field in fields(Settings) if field.name != "catalog"]
    return Settings.from_environment({name: known.get(name, placeholder(name)) for name in names})


def placeholder(name: str) -> str:
    """`<assets-bucket>`: no name that AWS would take, so nobody takes it for one."""
    return f"<{name.lower().replace('_', '-')}>"
