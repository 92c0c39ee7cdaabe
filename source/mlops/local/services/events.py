# SPDX-License-Identifier: Apache-2.0
"""EventBridge: what AWS refuses and ministack lets through.

A rule starts a state machine with the role of its target. ministack starts it for nobody, so here the role must trust
EventBridge and allow the start; where it does not, nothing is started, and the metric FailedInvocations counts it.
"""

from __future__ import annotations

import logging
from typing import Any

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import cloudwatch, events

_LOG = logging.getLogger(__name__)
_PRINCIPAL = "events.amazonaws.com"


def install() -> None:
    events.check_targets(_may_invoke)


def _may_invoke(target: dict[str, Any], rule: dict[str, Any]) -> bool:
    if ":states:" not in target["Arn"]:
        return True  # the other targets that ministack reaches say themselves who may call them
    caller, role_arn = identity.current_caller(), target.get("RoleArn", "")
    try:
        identity.check_role(role_arn, _PRINCIPAL, caller, rule["Arn"])
        role = Caller(caller.account_id, caller.region, identity.session_arn(role_arn, "events"))
        identity.authorize(role, "states:StartExecution", [target["Arn"]])
    except ApiError as error:
        cloudwatch.record_metric("AWS/Events", "FailedInvocations", [1.0], "Count", {"RuleName": rule["Name"]})
        _LOG.warning("rule %s did not start its target: %s", rule["Name"], error)
        return False
    return True
