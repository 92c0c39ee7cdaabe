# SPDX-License-Identifier: Apache-2.0
"""SageMaker's XGBoost image: trains with and serves by the xgboost package installed here.

A hyperparameter `sagemaker_program` makes a training job run the user's script, the variable SAGEMAKER_PROGRAM a model;
without them, the image runs the built-in algorithm.

The image's version picks no other xgboost, but that version's defaults (see `versions`), so that the same model comes
out. Pipe input mode brings the same records as File mode, so both read the downloaded files. A job of several instances
is trained by one process on all of its data.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

from mlops.local.containers import scripts
from mlops.local.containers.base import Job, Model, Predictor, Program

_IMAGE = re.compile(
    r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/"
    r"(sagemaker-)?xgboost([:@].+)?"
)
_METRIC = re.compile(r"\t(train|validation)-([^\s:]+):(\S+)")


class XGBoostContainer:
    description = (
        "SageMaker's XGBoost (<account>.dkr.ecr.<region>.amazonaws.com/"
        "sagemaker-xgboost:<version>, and the older xgboost:1 and xgboost:latest)"
    )

    def matches(self, image_uri: str) -> bool:
        return _IMAGE.fullmatch(image_uri) is not None

    def training(self, job: Job) -> Program:
        if job.entrypoint or scripts.is_script(job):
            return scripts.training(job, "sagemaker_xgboost_container.training:main")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return Program([sys.executable, "-u", "-m", f"{__name__}.train", str(job.tree), job.image_uri], environment)

    def processing(self, job: Job) -> Program:
        return scripts.processing(job)

    def metrics(self, log: str) -> Mapping[str, float]:
        return {f"{channel}:{metric}": float(value) for channel, metric, value in _METRIC.findall(log)}

    def load(self, model: Model) -> Predictor:
        if scripts.PROGRAM in model.environment:
            return scripts.serving(model, "xgboost")
        from mlops.local.containers.xgboost.serve import load  # brings numpy and xgboost: only where needed

        return load(model.folder, in_batch=model.environment.get("SAGEMAKER_BATCH") == "true")
