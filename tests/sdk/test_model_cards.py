# SPDX-License-Identifier: Apache-2.0
"""What the SDK's types write is a content for us, and the SDK works with the cards of the laptop account."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.support import sdk
from tests.support.installed import Installed
from tests.support.model_cards import CONTENT, content, done
from tests.support.naming import unique

# Of SageMaker's schema, the SDK's types leave these out: it is the card of a model package.
NOT_IN_THE_SDK = ("model_id", "model_name", "model_version", "inference_environment")


def of_the_sdk() -> dict[str, Any]:
    """A content with every key that the SDK's types have; the objective function is flat in them."""
    found = copy.deepcopy(CONTENT)
    for key in NOT_IN_THE_SDK:
        found["model_overview"].pop(key, None)
    found["training_details"]["objective_function"] = found["training_details"]["objective_function"]["function"]
    return found


@pytest.fixture(scope="module")
def written(api: Installed, sdk_python: Path) -> dict[str, Any]:
    given = {"name": unique("sdk"), "bucket": api.assets_bucket}
    flat = of_the_sdk()
    # SageMaker's own schema has a function in the function, which the types of the SDK cannot write.
    del flat["training_details"]["objective_function"]
    answer: dict[str, Any] = sdk.ask(sdk_python, "model_cards", {**given, "content": flat}, **sdk.account(api))
    return {**answer, **given, "given": flat}


def test_the_sdks_types_write_what_was_given(written: dict[str, Any]) -> None:
    assert written["content"] == written["given"]


def test_the_sdk_reads_what_it_wrote_and_its_changes(written: dict[str, Any]) -> None:
    assert written["described"] == written["content"]
    assert (written["latest"], written["status"], written["versions"]) == (2, "Approved", [1, 2])
    assert written["names"] == [written["name"]]
    assert written["exported"].startswith(f"s3://{written['bucket']}/exports/")


def test_our_door_takes_what_the_sdk_writes(api: Installed, written: dict[str, Any]) -> None:
    """The flat objective function of its types, too."""
    sent = {**written["content"], "training_details": of_the_sdk()["training_details"]}
    card = done(api, "create_model_card", name=unique("door"), **sent)
    objective = {"function": sent["training_details"]["objective_function"]}
    expected = {**sent, "training_details": {**sent["training_details"], "objective_function": objective}}
    assert content(card) == expected
