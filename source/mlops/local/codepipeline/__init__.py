# SPDX-License-Identifier: Apache-2.0
"""AWS CodePipeline: pipelines that really run."""
from mlops.local.api import Api

api = Api("codepipeline")
