# SPDX-License-Identifier: Apache-2.0
"""mlops sends and checks the types that act at once: model cards."""

from __future__ import annotations

import json

from tests.support.commands import Up
from tests.support.naming import unique


def test_a_card_is_sent_and_what_came_of_it_is_printed(up: Up) -> None:
    card = {"name": unique("card"), "intended_uses": {"risk_rating": "Low"}}
    created = up.mlops("provision", "-", given=json.dumps({"pipeline_type": "create_model_card", "version": 1, **card}))
    assert created.returncode == 0, created.stderr
    assert json.loads(created.stdout)["ModelCardName"] == card["name"]
    assert "/version" in created.stderr
    described = {"pipeline_type": "describe_model_card", "name": card["name"]}
    answer = up.mlops("provision", "-", "--json", "--watch", given=json.dumps(described))
    assert json.loads(answer.stdout)["message"]["ModelCardStatus"] == "Draft"
    deleted = up.mlops("provision", "-", given=json.dumps({**described, "pipeline_type": "delete_model_card"}))
    assert (deleted.returncode, card["name"] in deleted.stdout + deleted.stderr) == (0, True)


def test_a_card_is_checked_without_being_sent(up: Up) -> None:
    good = {"pipeline_type": "create_model_card", "name": unique("card")}
    for options in ((), ("--offline",)):
        checked = up.mlops("validate", "-", "--json", *options, given=json.dumps(good))
        assert checked.returncode == 0, checked.stderr
        assert json.loads(checked.stdout)["pipeline_type"] == "create_model_card"
    wrong = up.mlops("validate", "-", "--offline", given=json.dumps({**good, "intended_uses": {"risk": "Low"}}))
    assert wrong.returncode != 0
    assert "/intended_uses/risk" in wrong.stdout + wrong.stderr
