# SPDX-License-Identifier: Apache-2.0
"""AWS services that ministack lacks or has too little of.

cloudwatch/     logs as the AWS CLI reads them, access logs of APIs
codebuild/      CodeBuild: builds are checked, and fail where they need Docker
codepipeline/   CodePipeline and its actions
events.py       what EventBridge refuses and ministack lets through
s3.py           what S3 refuses and ministack lets through
s3_tasks.py     what state machines do with S3
sagemaker/      SageMaker: jobs, models, endpoints, the model registry
scheduler/      EventBridge Scheduler
"""
