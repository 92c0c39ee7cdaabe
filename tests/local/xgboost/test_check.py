# SPDX-License-Identifier: Apache-2.0
"""A model that would end xgboost, or keep it for ever, fails its endpoint and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from mlops.local.containers.xgboost import check

from tests.support.lab import Lab, artifact
from tests.support.laptop import Account

# read as the length of a key, this makes xgboost copy memory that it does not have
CRASHING = b"{L\x00\x00\x00\x00\x7f\xff\xff\xff"


def model(booster: str = "gbtree", **parameters: Any) -> Any:
    """A small model as xgboost writes it."""
    random = np.random.default_rng(5)
    rows = random.normal(size=(60, 3))
    matrix = xgboost.DMatrix(rows, (rows[:, 0] > 0).astype(int))
    trained = xgboost.train({"booster": booster, **parameters}, matrix, 2)
    return json.loads(trained.save_raw("json"))


def changed(path: str, value: Any) -> bytes:
    """The small model with another value at a dotted path."""
    document = model()
    *way, last = path.split(".")
    inner = document["learner"]
    for key in way:
        inner = inner[int(key) if isinstance(inner, list) else key]
    inner[int(last) if isinstance(inner, list) else last] = value
    return json.dumps(document).encode()


_TREE = "gradient_booster.model.trees.0"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: CRASHING, "SIGSEGV"),
        (lambda: changed(f"{_TREE}.left_children.0", 10**8), "its nodes do not form a tree"),
        (lambda: changed(f"{_TREE}.left_children.0", 0), "its nodes do not form a tree"),
        (lambda: changed(f"{_TREE}.split_indices.0", 10**8), "an unknown feature"),
        (lambda: changed("gradient_booster.model.tree_info.0", 10**8), "an unknown class"),
        (lambda: changed("learner_model_param.num_class", "100000000"), "100,000,000 classes"),
        (lambda: changed("learner_model_param.num_feature", "4000000000"), "4,000,000,000 features"),
    ],
)
def test_a_model_that_xgboost_would_not_survive(content: Callable[[], bytes], words: str) -> None:
    assert words in check.problem(content())


@pytest.mark.parametrize(
    "document",
    [
        model,
        lambda: model("dart", rate_drop=0.5),
        lambda: model("gblinear"),
        lambda: model(objective="multi:softprob", num_class=3),
    ],
    ids=["gbtree", "dart", "gblinear", "multi"],
)
def test_what_xgboost_trained_is_served(document: Callable[[], Any]) -> None:
    assert check.problem(json.dumps(document()).encode()) == ""


def test_the_account_survives_a_model_that_ends_xgboost(account: Account, tmp_path: Path) -> None:
    lab = Lab(account)
    uri = lab.put("crash/model.tar.gz", artifact(tmp_path, {"xgboost-model": CRASHING}))
    failed = lab.settled(lab.endpoint(lab.config(lab.model(uri))))
    assert failed["EndpointStatus"] == "Failed"
    assert "SIGSEGV" in failed["FailureReason"]
    assert account.client("sts").get_caller_identity()["Account"]
