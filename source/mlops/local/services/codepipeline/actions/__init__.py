# SPDX-License-Identifier: Apache-2.0
"""The action providers, found by (category, owner, provider, version)."""

from mlops.local.services.codepipeline.actions import approval, cloudformation, codebuild, s3_source, stepfunctions
from mlops.local.services.codepipeline.actions.base import Abandoned, ActionFailed, ActionType, Run

PROVIDERS: dict[tuple[str, str, str, str], ActionType] = {
    ("Source", "AWS", "S3", "1"): s3_source.TYPE,
    ("Build", "AWS", "CodeBuild", "1"): codebuild.TYPE,
    ("Deploy", "AWS", "CloudFormation", "1"): cloudformation.TYPE,
    ("Invoke", "AWS", "StepFunctions", "1"): stepfunctions.TYPE,
    ("Approval", "AWS", "Manual", "1"): approval.TYPE,
}

__all__ = ["PROVIDERS", "Abandoned", "ActionFailed", "ActionType", "Run"]
