# SPDX-License-Identifier: Apache-2.0
"""Container images that this laptop can run without Docker, each written again as a Python package.

SageMaker gives an image a folder tree (`/opt/ml` on AWS) and starts it. Here the tree is a temporary folder
and the image is a program of ours that reads and writes the same files:

    input/config/hyperparameters.json    input/data/<channel>/...     model/...
    input/config/inputdataconfig.json    output/failure               output/data/...

base.py      what a container is: it trains, it processes, it serves
process.py   how the processes of containers end
autopilot/   the candidates of Autopilot jobs, and AutoGluon's inference image, which serves them
scripts/     the user's own script, run as SageMaker's toolkits run it in the images of frameworks
sklearn/     SageMaker's scikit-learn image, which runs scripts only
xgboost/     SageMaker's XGBoost image: the built-in algorithm, and scripts

Nothing in here knows SageMaker's API or this account, so that a training process starts fast.
"""

from __future__ import annotations

from mlops.local.containers.autopilot import AutopilotContainer
from mlops.local.containers.base import (
    CannotRun,
    Container,
    InferenceError,
    Job,
    Model,
    ModelLoadError,
    Prediction,
    Predictor,
    Program,
)
from mlops.local.containers.sklearn import SKLearnContainer
from mlops.local.containers.xgboost import XGBoostContainer

# A new image is a package here and an entry in this list.
KNOWN: tuple[Container, ...] = (XGBoostContainer(), SKLearnContainer(), AutopilotContainer())

__all__ = [
    "KNOWN",
    "CannotRun",
    "Container",
    "InferenceError",
    "Job",
    "Model",
    "ModelLoadError",
    "Prediction",
    "Predictor",
    "Program",
    "find",
    "unknown_image",
]


def find(image_uri: str) -> Container | None:
    """The container that stands for an image, if this laptop knows one."""
    return next((container for container in KNOWN if container.matches(image_uri)), None)


def unknown_image(image_uri: str) -> str:
    """Why an image cannot run here."""
    known = "; ".join(container.description for container in KNOWN)
    return f"The laptop account cannot run the image {image_uri}. Supported images: {known}."
