# SPDX-License-Identifier: Apache-2.0
"""Raw bytes become a body, or a 4xx that says what is wrong with them."""

import pytest
from chalicelib.errors import BadRequest, TooLarge
from chalicelib.intake.request import MAX_BYTES, parse


@pytest.mark.parametrize(
    ("raw", "path", "problem"),
    [
        (b"", "", "empty"),
        (b"  \n", "", "empty"),
        (b"{", "", "invalid JSON"),
        (b'{"a": 1} x', "", "invalid JSON"),
        (b"null", "", "null"),
        (b"[]", "", "a list"),
        (b'"text"', "", "a string"),
        (b"7", "", "a number"),
        (b"true", "", "the body is true"),
        (b'{"a": NaN}', "", "NaN"),
        (b'{"a": -Infinity}', "", "Infinity"),
        (b'{"a": ' + b"9" * 5000 + b"}", "", "too large"),
        (b'{"a": [1e400]}', "/a/0", "1e400 is too large"),
        (b'{"a": {"b": -1e999999999}}', "/a/b", "too large"),
        (b'{"x/y~z": 1e400}', "/x~1y~0z", "too large"),
        (b'{"a": 1, "a": 2}', "/a", "duplicate key"),
        (b'{"x": {"b": 1, "b": 1}}', "/x/b", "duplicate key"),
        ('{"a": "d\ufffd"}'.encode(), "/a", "UTF-8"),
        (b'{"a": "\xff"}', "", "UTF-8"),
        (b'{"a": "\\u0000"}', "/a", "U+0000"),
        (b'{"a": {"b": ["\\u0007"]}}', "/a/b/0", "U+0007"),
        (b'{"a": "\\ud800"}', "/a", "surrogate"),
        (b'{"a": "{% $x %}"}', "/a", "expression"),
        (b'{"{%": 1}', "/{%", "expression"),
        (b'{"a": ["x {{resolve:secretsmanager:s}}"]}', "/a/0", "expression"),
        (b'{"a": ' + b"[" * 21 + b"]" * 21 + b"}", "", "levels deep"),
        (b"[" * 60_000, "", "levels deep"),
    ],
)
def test_an_unusable_body_is_refused_where_it_is_wrong(raw: bytes, path: str, problem: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(raw)
    (found,) = refused.value.problems
    assert found.path == path
    assert problem in found.problem
    assert refused.value.status == 400


def test_a_body_over_the_limit_is_too_large() -> None:
    assert parse(b'{"a": "' + b"x" * (MAX_BYTES - 9) + b'"}')
    with pytest.raises(TooLarge) as refused:
        parse(b'{"a": "' + b"x" * (MAX_BYTES - 8) + b'"}')
    assert refused.value.status == 413


def test_brackets_in_text_are_no_depth() -> None:
    assert parse(('{"a": "' + "[" * 500 + '\\""}').encode())["a"].startswith("[[")


def test_every_problem_of_the_text_is_told() -> None:
    with pytest.raises(BadRequest) as refused:
        parse(b'{"a": "\\u0001", "b": "{%"}')
    assert [problem.path for problem in refused.value.problems] == ["/a", "/b"]


def test_a_byte_order_mark_and_other_alphabets_are_fine() -> None:
    assert parse('\ufeff{"name": "größe 模型"}'.encode()) == {"name": "größe 模型"}
