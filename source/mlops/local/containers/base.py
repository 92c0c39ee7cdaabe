# SPDX-License-Identifier: Apache-2.0
"""What SageMaker asks of an image: train or process on a folder tree, load a model, answer an invocation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class InferenceError(Exception):
    """The container answers an invocation with an HTTP status other than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class ModelLoadError(Exception):
    """The model artifact holds nothing that this container can serve."""


class CannotRun(Exception):
    """The container does not run such a job; the message says why."""


def _nobody(line: str) -> None:
    """Where the lines of a container go that nobody reads."""


ANSWER_SECONDS = 60.0  # what SageMaker gives a container of an endpoint for an invocation


@dataclass(frozen=True)
class Model:
    """What SageMaker gives an image that is to serve."""

    folder: Path  # the unpacked artifact, in a folder for this model alone; both stay until the predictor is closed
    image_uri: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)  # of the model's container definition
    access: Mapping[str, str] = field(default_factory=dict)  # by which a process reaches AWS as the model's role
    log: Callable[[str], None] = _nobody  # takes a line of the container's log; may be called from any thread
    answer_seconds: float = ANSWER_SECONDS  # how long one request may take


@dataclass(frozen=True)
class Prediction:
    body: bytes
    content_type: str


class Predictor(Protocol):
    """A model that answers: in memory, or in a process of its own."""

    def invoke(self, body: bytes, content_type: str, accept: str) -> Prediction:
        """Answer one request; raises InferenceError. May be called from several threads."""
        ...

    def close(self) -> None:
        """End what was started for it. Nothing is asked afterwards; a request that is under way may fail."""
        ...


@dataclass(frozen=True)
class Job:
    """What SageMaker gives an image that is to train or to process."""

    tree: Path  # stands for /opt/ml
    image_uri: str
    environment: Mapping[str, str] = field(default_factory=dict)  # the job's own, and access as in Model
    entrypoint: Sequence[str] = ()  # to run instead of the image's own
    arguments: Sequence[str] = ()


@dataclass(frozen=True)
class Program:
    """A process to start."""

    command: Sequence[str]
    environment: Mapping[str, str]  # all of it: nothing of this process's own is added


class Container(Protocol):
    """An image this laptop can run.

    A program's output is the job's log. It fails by leaving a reason in output/failure and a status other than 0. It
    ends when its standard input does, so that it doesn't outlive an account that was killed; and soon after SIGTERM.
    """

    description: str

    def matches(self, image_uri: str) -> bool: ...

    def training(self, job: Job) -> Program:
        """What trains on a folder tree as that image does. Raises CannotRun."""
        ...

    def processing(self, job: Job) -> Program:
        """What processes data in a folder tree as that image does. Raises CannotRun."""
        ...

    def metrics(self, log: str) -> Mapping[str, float]:
        """The last value of each metric that a training log reports."""
        ...

    def load(self, model: Model) -> Predictor:
        """A model that answers; raises ModelLoadError."""
        ...
