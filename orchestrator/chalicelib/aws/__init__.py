# SPDX-License-Identifier: Apache-2.0
"""AWS. The only package that imports boto3; what leaves it is ours, never boto3's.

port.py        AWS as the orchestrator needs it: a protocol
observed.py    what exists in AWS, as data; what a stack's status means
client.py      the protocol, fulfilled with the calls below
calls.py       boto3's clients; AWS's errors become ours
stacks.py      CloudFormation
bundles.py     S3
pipelines.py   CodePipeline
registry.py    SageMaker's model registry
builds.py      CodeBuild
jobs.py        Step Functions and SageMaker
resources.py   what a deployed stack holds
model_cards.py  SageMaker's model cards; imported when one is asked for
"""
