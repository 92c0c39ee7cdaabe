# SPDX-License-Identifier: Apache-2.0
"""Why training fails: the user's doing (ClientError in the job's FailureReason) or the algorithm's."""

from __future__ import annotations

from mlops.local.containers.process import WorkFailed


class AlgorithmError(WorkFailed):
    """xgboost could not train on data and settings that look right."""


class UserError(WorkFailed):
    """The data, the channels or the hyperparameters are wrong."""

    prefix = "ClientError"
