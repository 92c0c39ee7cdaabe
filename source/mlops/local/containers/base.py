# SPDX-License-Identifier: Apache-2.0
"""What SageMaker asks of an image: train on a folder tree, load a model, answer an invocation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class InferenceError(Exception):
    """The container answers an invocation with an HTTP status other than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class ModelLoadError(Exception):
    """The model artifact holds nothing that this container can serve."""


@dataclass(frozen=True)
class Prediction:
    body: bytes
    content_type: str


class Predictor(Protocol):
    """A model in memory."""

    def invoke(self, body: bytes, content_type: str, accept: str) -> Prediction:
        """Answer one request; raises InferenceError. May be called from several threads."""
        ...


class Container(Protocol):
    """An image this laptop can run."""

    description: str

    def matches(self, image_uri: str) -> bool: ...

    def training_command(self, tree: Path, image_uri: str) -> list[str]:
        """The process that trains on a folder tree as that image does.

        Its output is the job's log; it fails by leaving a reason in output/failure and a status other than 0. It ends
        when its standard input does, so that it doesn't outlive an account that was killed.
        """
        ...

    def metrics(self, log: str) -> Mapping[str, float]:
        """The last value of each metric that a training log reports."""
        ...

    def load(self, model_dir: Path) -> Predictor:
        """A model from an unpacked artifact; raises ModelLoadError."""
        ...
