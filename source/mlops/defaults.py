# SPDX-License-Identifier: Apache-2.0
"""Default names."""

STACK_NAME = "mlops-orchestrator"  # the main stack
PIPELINE_PREFIX = "mlops-pipeline"  # what the names of pipelines and their stacks begin with
