# SPDX-License-Identifier: Apache-2.0
"""Who is asking: the account, region and principal that code works for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ministack.core import iam_evaluator as _iam_evaluator
from ministack.core import responses as _responses
from ministack.core import router as _router


def current_scope() -> tuple[str, str]:
    """The account and region of the request, execution or stack operation this code runs in."""
    return _responses.get_account_id(), _responses.get_region()


@contextmanager
def scope(account_id: str, region: str) -> Iterator[None]:
    with _responses.request_scope(account_id, region):
        yield


def current_principal() -> str:
    """The ARN of the principal this code works for."""
    return str(_iam_evaluator.caller_arn())


@contextmanager
def principal(arn: str) -> Iterator[None]:
    """Work for another principal, as a service does that has assumed a role."""
    token = _iam_evaluator._request_caller_arn.set(arn)
    try:
        yield
    finally:
        _iam_evaluator._request_caller_arn.reset(token)


def is_signed(headers: Mapping[str, str], query: Mapping[str, Any]) -> bool:
    """Whether a request names an access key; ministack has checked the signature of one that does."""
    return bool(_router.extract_access_key_id(headers, query))
