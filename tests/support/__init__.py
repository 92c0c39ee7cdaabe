# SPDX-License-Identifier: Apache-2.0
"""What the tests of several packages share, a module a subject.

laptop            an account on this laptop as a process of its own
installed         the orchestrator in an account, called over HTTP
commands          `mlops local up`, and `mlops` as another terminal runs it
builds            what is built once for all processes of a test run
requests          requests for pipelines, the data they train on, and what came of them
lab               SageMaker jobs, models and endpoints, without a pipeline
codepipelines     declarations of pipelines for CodePipeline itself
roles             IAM roles for services
memory            AWS in memory, which can fail any call
custom_resources  the functions of custom resources, and servers that answer as a test says
blueprint_folders the blueprints that ship, and those that only tests have
environments, naming, waiting
"""
