# SPDX-License-Identifier: Apache-2.0
"""Amazon SageMaker: trains, keeps and serves models for real, with the containers in `mlops.local.containers`.

One module a resource, each with its operations; jobs.py has what all kinds of jobs share. Importing this package
registers all of them, their CloudFormation types and the integrations with Step Functions.
"""

from mlops.local.services.sagemaker import (
    automl_jobs,
    endpoint_configs,
    endpoints,
    invocations,
    model_card_exports,
    model_cards,
    model_package_groups,
    model_packages,
    models,
    processing_jobs,
    resource_types,
    tags,
    tasks,
    training_jobs,
    transform_jobs,
    tuning_jobs,
)

__all__ = [
    "automl_jobs",
    "endpoint_configs",
    "endpoints",
    "invocations",
    "model_card_exports",
    "model_cards",
    "model_package_groups",
    "model_packages",
    "models",
    "processing_jobs",
    "resource_types",
    "tags",
    "tasks",
    "training_jobs",
    "transform_jobs",
    "tuning_jobs",
]
