# SPDX-License-Identifier: Apache-2.0
"""GET /pipelines, called as its callers do: signed, with query parameters, a page at a time."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.support.http import Answer, error_shape
from tests.support.installed import Installed
from tests.support.requests import training


def pipelines(api: Installed, signed: bool = True, **query: str) -> Answer:
    return api.send(f"{api.api_url}/pipelines?{urlencode(query)}", b"", "GET", signed)


@pytest.fixture(scope="module")
def listed(api: Installed) -> list[str]:
    """The names of pipelines that were made, some of which have ended and some have not."""
    bodies = [training(f"listed-{end}", training_data="nothing.csv", validation_data="") for end in ("b", "a", "c")]
    return sorted(api.provision(body).body["name"] for body in bodies)


def test_a_page_has_the_pipelines_by_name(api: Installed, listed: list[str]) -> None:
    for name in listed:
        api.ended(name)
    answer = pipelines(api, prefix="listed-")
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert [row["name"] for row in answer.body["pipelines"]] == listed
    for row in answer.body["pipelines"]:
        status = api.status(row["name"])
        assert {key: row[key] for key in ("name", "pipeline_id", "pipeline_type", "status")} == {
            key: status[key] for key in ("name", "pipeline_id", "pipeline_type", "status")
        }
        assert row["last_run"]["status"] == "Failed"
    assert "next" not in answer.body


def test_pages_follow_one_another(api: Installed, listed: list[str]) -> None:
    first = pipelines(api, prefix="listed-", limit="2", names_only="true").body
    assert first == {"pipelines": [{"name": name} for name in listed[:2]], "next": listed[1]}
    assert pipelines(api, prefix="listed-", limit="2", names_only="true", next=listed[1]).body == {
        "pipelines": [{"name": listed[2]}]
    }


def test_an_unsigned_call_is_refused(api: Installed) -> None:
    answer = pipelines(api, signed=False)
    assert answer.status == 403
    error_shape(answer)


def test_wrong_parameters_are_told_together(api: Installed) -> None:
    answer = pipelines(api, limit="0", prefix="a/b", sort="age")
    assert answer.status == 400
    assert [error["path"] for error in error_shape(answer)["errors"]] == ["/prefix", "/limit", "/sort"]
