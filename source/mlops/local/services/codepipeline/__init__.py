# SPDX-License-Identifier: Apache-2.0
"""AWS CodePipeline: pipelines that really run.

`structure` judges a declaration, `records` keeps pipelines and executions, `operations` and `history` answer
the API, `engine` moves executions through their `stages`, `polling` looks for changed sources, and `actions`
holds one module an action provider.
"""

import mlops.local.services.codepipeline.history
import mlops.local.services.codepipeline.operations
import mlops.local.services.codepipeline.resource  # noqa: F401  imported so that they register
