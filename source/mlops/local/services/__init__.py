# SPDX-License-Identifier: Apache-2.0
"""AWS services that ministack lacks or has too little of, a package each.

codepipeline/   CodePipeline and its actions
sagemaker/      SageMaker: jobs, models, endpoints, the model registry
scheduler/      EventBridge Scheduler
cloudwatch/     logs as the AWS CLI reads them, access logs of APIs
"""
