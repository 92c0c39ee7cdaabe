# SPDX-License-Identifier: Apache-2.0
"""SageMaker's built-in XGBoost image: trains with and serves by the xgboost package installed here.

The image's version picks no other xgboost, but that version's defaults (see `versions`), so that the same model comes
out. Pipe input mode brings the same records as File mode, so both read the downloaded files. A job of several instances
is trained by one process on all of its data.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops.local.containers.base import CannotRun, Model, Program

if TYPE_CHECKING:
    from mlops.local.containers.xgboost.serve import XGBoostPredictor

_IMAGE = re.compile(
    r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/"
    r"(sagemaker-)?xgboost([:@].+)?"
)
_METRIC = re.compile(r"\t(train|validation)-([^\s:]+):(\S+)")


class XGBoostContainer:
    description = (
        "SageMaker's built-in XGBoost (<account>.dkr.ecr.<region>.amazonaws.com/"
        "sagemaker-xgboost:<version>, and the older xgboost:1 and xgboost:latest)"
    )

    def matches(self, image_uri: str) -> bool:
        return _IMAGE.fullmatch(image_uri) is not None

    def training(self, tree: Path, image_uri: str, access: Mapping[str, str]) -> Program:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return Program([sys.executable, "-u", "-m", f"{__name__}.train", str(tree), image_uri], environment)

    def processing(self, tree: Path, image_uri: str, access: Mapping[str, str]) -> Program:
        raise CannotRun(f"The laptop account runs no processing jobs in {image_uri}.")

    def metrics(self, log: str) -> Mapping[str, float]:
        return {f"{channel}:{metric}": float(value) for channel, metric, value in _METRIC.findall(log)}

    def load(self, model: Model) -> XGBoostPredictor:
        from mlops.local.containers.xgboost.serve import load  # brings numpy and xgboost: only where needed

        return load(model.folder)
