# SPDX-License-Identifier: Apache-2.0
"""AWS, called. The only package that imports boto3; what leaves it is ours, never boto3's.

calls.py       clients, and AWS's failures as ours
stacks.py      CloudFormation
bundles.py     S3
pipelines.py   CodePipeline
jobs.py        Step Functions and SageMaker
resources.py   what a deployed stack holds
"""

from __future__ import annotations

from chalicelib.aws.bundles import Bundles
from chalicelib.aws.jobs import Jobs
from chalicelib.aws.pipelines import Pipelines
from chalicelib.aws.resources import Resources
from chalicelib.aws.stacks import Stacks


class Aws(Stacks, Bundles, Pipelines, Jobs, Resources):
    """The calls, made with the credentials and the endpoint of the environment."""
