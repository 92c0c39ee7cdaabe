# SPDX-License-Identifier: Apache-2.0
"""The manual approval: tells a topic, and waits until somebody approves or rejects."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

from mlops.local.services.codepipeline.actions.base import ActionFailed, ActionType, Run
from mlops.local.services.codepipeline.records import now, show_action

_PATIENCE = timedelta(days=7)


def run(action: Run) -> None:
    record, configuration = action.action, action.configuration
    expires = now() + _PATIENCE
    record["token"] = str(uuid.uuid4())
    show_action(action.execution, record)
    if topic := configuration.get("NotificationArn"):
        message = _message(action, f"{expires:%Y-%m-%dT%H:%MZ}")
        action.session.client("sns").publish(
            TopicArn=topic, Subject=_subject(action)[:100], Message=json.dumps(message)
        )

    def answered() -> dict[str, Any] | None:
        if now() > expires:
            raise ActionFailed("The approval timed out")
        result: dict[str, Any] | None = record.get("approval")
        return result

    result = action.wait_until(answered)
    record["updatedBy"] = result["by"]
    if result["status"] == "Rejected":
        raise ActionFailed(
            f"Rejected by {result['by']}: {result['summary']}" if result["summary"] else f"Rejected by {result['by']}"
        )
    action.show(externalExecutionSummary=result["summary"])


def _subject(action: Run) -> str:
    return (
        f"APPROVAL NEEDED: AWS CodePipeline {action.execution['pipelineName']} for action {action.action['actionName']}"
    )


def _message(action: Run, expires: str) -> dict[str, Any]:
    region, pipeline = action.caller.region, action.execution["pipelineName"]
    stage, name = action.action["stageName"], action.action["actionName"]
    console = f"https://{region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/{pipeline}/view"
    approval = {
        "pipelineName": pipeline,
        "stageName": stage,
        "actionName": name,
        "token": action.action["token"],
        "expires": expires,
        "externalEntityLink": action.configuration.get("ExternalEntityLink"),
        "approvalReviewLink": f"{console}#/{stage}/{name}/approve/{action.action['token']}",
        "customData": action.configuration.get("CustomData"),
    }
    return {
        "region": region,
        "consoleLink": console,
        "approval": {key: value for key, value in approval.items() if value is not None},
    }


TYPE = ActionType(run=run, keys=frozenset({"NotificationArn", "CustomData", "ExternalEntityLink"}))
