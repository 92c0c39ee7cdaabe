# SPDX-License-Identifier: Apache-2.0
"""A call to AWS that we make wrongly is a defect of ours and answered as such, not as an outage of AWS."""

from __future__ import annotations

import pytest
from botocore.exceptions import ParamValidationError
from chalicelib.aws.client import Aws
from chalicelib.settings import Settings


def test_a_call_with_wrong_arguments_is_no_outage(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    with pytest.raises(ParamValidationError):
        Aws(settings).stack(None)  # type: ignore[arg-type]
