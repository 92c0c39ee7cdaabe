# SPDX-License-Identifier: Apache-2.0
"""An AWS account on your laptop: ministack, and in this package what it lacks.

`server` starts it. A service is a folder here (`codepipeline`, `sagemaker`) that declares its operations on
an `api.Api`, its CloudFormation types with `resources.resource`, its Step Functions tasks with `tasks.task`.
Only `ministack` knows ministack's insides.
"""
