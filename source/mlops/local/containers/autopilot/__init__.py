# SPDX-License-Identifier: Apache-2.0
"""Autopilot: tries candidates on tabular data, and serves the models that come out.

    search.py       the work of a job, in a process of its own: data, candidates, notebooks
    data.py         files -> rows, target and folds (table, columns, problem)
    candidates.py   which candidates there are; fits and measures one (algorithms, features, model, metrics)
    serve.py        answers with a model (artifact), in a process of its own; predictor.py starts it

In ensembling mode, SageMaker serves a candidate with one container, of AutoGluon's image; and so does this package. Its
models are scikit-learn's and xgboost's, which AutoGluon itself doesn't read: they are served here only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chalicelib.images import uris

from mlops.local.containers.autopilot import objectives
from mlops.local.containers.base import CannotRun, Job, Model, Program

if TYPE_CHECKING:
    from mlops.local.containers.autopilot.predictor import ProcessPredictor

_IMAGE = re.compile(r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/autogluon-inference([:@].+)?")
_FRAMEWORK = "autogluon"
_INSTANCE = "ml.m5.large"  # an instance with processors only, for the image's tag

# What a candidate's container can answer with, of a classification: all of it, and what it answers with unless told.
# https://docs.aws.amazon.com/sagemaker/latest/dg/autopilot-automate-model-development-container-output.html
OUTPUT_KEYS = ("predicted_label", "labels", "probability", "probabilities")
OUTPUT, SUPPORTED = "SAGEMAKER_INFERENCE_OUTPUT", "SAGEMAKER_INFERENCE_SUPPORTED"
ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"

EXPLORATION = "SageMakerAutopilotDataExplorationNotebook.ipynb"
DEFINITIONS = "SageMakerAutopilotCandidateDefinitionNotebook.ipynb"
NOTEBOOKS: Mapping[str, str] = {  # the member of AutoMLJobArtifacts -> the file
    "CandidateDefinitionNotebookLocation": DEFINITIONS,
    "DataExplorationNotebookLocation": EXPLORATION,
}


def inference_container(model_uri: str, problem: str, region: str) -> dict[str, object]:
    """What serves a candidate: a container definition as SageMaker gives one."""
    latest = max(uris.versions(_FRAMEWORK, "inference"), key=uris.in_order)
    environment = {ACCEPT: "text/csv"}
    if problem != objectives.REGRESSION:
        environment |= {OUTPUT: OUTPUT_KEYS[0], SUPPORTED: ",".join(OUTPUT_KEYS)}
    return {
        "Image": uris.inference_image(_FRAMEWORK, latest, region, _INSTANCE),
        "ModelDataUrl": model_uri,
        "Environment": environment,
    }


class AutopilotContainer:
    description = (
        "AutoGluon's inference image (<account>.dkr.ecr.<region>.amazonaws.com/autogluon-inference:<version>), for the "
        "models of the laptop account's Autopilot jobs"
    )

    def matches(self, image_uri: str) -> bool:
        return _IMAGE.fullmatch(image_uri) is not None

    def training(self, job: Job) -> Program:
        raise CannotRun(f"{job.image_uri} is an image for inference; it does not train.")

    def processing(self, job: Job) -> Program:
        raise CannotRun(f"The laptop account runs no processing jobs in {job.image_uri}.")

    def metrics(self, log: str) -> Mapping[str, float]:
        return {}

    def load(self, model: Model) -> ProcessPredictor:
        from mlops.local.containers.autopilot.predictor import ProcessPredictor

        return ProcessPredictor(model)
