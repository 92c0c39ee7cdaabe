# SPDX-License-Identifier: Apache-2.0
"""What the tests of stopping and deleting share."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from tests.support.http import Answer
from tests.support.installed import Installed
from tests.support.requests import LONG, training


def stop(api: Installed, name: str, body: bytes = b"", signed: bool = True) -> Answer:
    return api.send(f"{api.api_url}/pipelines/{name}/stop", body, signed=signed)


def delete(api: Installed, name: str, signed: bool = True, **query: str) -> Answer:
    return api.send(f"{api.api_url}/pipelines/{name}?{urlencode(query)}", b"", "DELETE", signed)


def deleted(api: Installed, name: str, seconds: float = 60, **query: str) -> list[Answer]:
    """The answers until there is nothing left to delete."""
    answers: list[Answer] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answers.append(delete(api, name, **query))
        if answers[-1].status == 200 or "Retry-After" not in answers[-1].headers:
            return answers
        time.sleep(0.3)
    raise AssertionError(answers[-1].text)


def training_long(api: Installed, name: str) -> Any:
    """A pipeline whose job is under way and takes long."""
    body = training(name, validation_data="", algo_hyperparameters=LONG)
    answer = api.provision(body)
    assert answer.status == 200, answer.text
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pipeline = api.status(answer.body["pipeline_id"])
        if pipeline["job"] and pipeline["job"]["progress"] == "Training":
            return pipeline
        time.sleep(0.2)
    raise AssertionError(f"its job never began: {pipeline}")
