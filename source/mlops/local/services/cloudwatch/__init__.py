# SPDX-License-Identifier: Apache-2.0
"""CloudWatch where ministack is not AWS's: FilterLogEvents with its filter patterns, and access logs of REST APIs."""

from __future__ import annotations

from mlops.local.services.cloudwatch import access_logs, logs


def install() -> None:
    logs.install()
    access_logs.install()
