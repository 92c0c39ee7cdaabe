# SPDX-License-Identifier: Apache-2.0
"""SageMaker's scikit-learn image: it runs the user's scripts, with the scikit-learn installed here.

The image's version picks no other scikit-learn; the log says which one runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlops.local.containers import scripts
from mlops.local.containers.base import CannotRun, Job, Model, ModelLoadError, Predictor, Program

_IMAGE = re.compile(r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.(com(\.cn)?|eu)/sagemaker-scikit-learn([:@].+)?")


class SKLearnContainer:
    description = (
        "SageMaker's scikit-learn (<account>.dkr.ecr.<region>.amazonaws.com/sagemaker-scikit-learn:<version>-cpu-py3)"
    )

    def matches(self, image_uri: str) -> bool:
        return _IMAGE.fullmatch(image_uri) is not None

    def training(self, job: Job) -> Program:
        if not job.entrypoint and not scripts.is_script(job):
            raise CannotRun(
                "The scikit-learn image trains with your script. Name it in the hyperparameter sagemaker_program, and "
                "its archive in sagemaker_submit_directory."
            )
        return scripts.training(job, "sagemaker_sklearn_container.training:main")

    def processing(self, job: Job) -> Program:
        return scripts.processing(job)

    def metrics(self, log: str) -> Mapping[str, float]:
        return {}

    def load(self, model: Model) -> Predictor:
        if scripts.PROGRAM not in model.environment:
            raise ModelLoadError(
                f"the scikit-learn image serves with your script. Set {scripts.PROGRAM} in the container's environment "
                f"to its name, and {scripts.SUBMIT_DIRECTORY} to where it is: /opt/ml/model/code, or an archive in S3"
            )
        return scripts.serving(model, "sklearn")
