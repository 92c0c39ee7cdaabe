# SPDX-License-Identifier: Apache-2.0
"""Query parameters are checked as bodies are: everything that is wrong is told at once."""

from __future__ import annotations

import pytest
from chalicelib.errors import BadRequest
from chalicelib.intake.query import Query


def test_what_is_given_is_read() -> None:
    query = Query({"limit": "7", "prefix": "Churn", "names_only": "true"})
    assert query.number("limit", 25, 100) == 7
    assert query.name("prefix") == "churn"
    assert query.flag("names_only")
    query.done()


def test_what_is_absent_or_empty_has_its_default() -> None:
    query = Query({"limit": "", "names_only": ""})
    assert query.number("limit", 25, 100) == 25
    assert query.name("prefix") == ""
    assert not query.flag("names_only")
    query.done()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("limit", text) for text in ("0", "101", "-1", "ten", "1.5", "1e2", "\u0663", "9" * 400)),
        *(("prefix", text) for text in ("a/b", "../x", "a b", "a" * 129, "a\n")),
        *(("names_only", text) for text in ("yes", "TRUE", "1")),
        ("names_onyl", "true"),
    ],
)
def test_what_is_wrong_is_refused(name: str, text: str) -> None:
    query = Query({name: text, "": "x"})
    query.number("limit", 25, 100)
    query.name("prefix")
    query.flag("names_only")
    with pytest.raises(BadRequest) as refused:
        query.done()
    assert {problem.path for problem in refused.value.problems} == {f"/{name}", "/"}
    assert "2 problems" in refused.value.message
