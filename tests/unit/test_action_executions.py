# SPDX-License-Identifier: Apache-2.0
"""What ListActionExecutions tells of a run's actions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chalicelib.aws.client import Aws
from chalicelib.settings import Settings

from tests.support.custom_resources import Reply, serving, use_endpoint

RUN = "arn:aws:states:us-east-1:123456789012:execution:MLOpsStateMachine-1ABC:1624a1d1"
STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/mlops-pipeline-a/1"


@pytest.mark.parametrize(
    ("output", "external"),
    [
        ({"executionResult": {"externalExecutionId": "1624a1d1"}, "outputVariables": {"ExecutionArn": RUN}}, RUN),
        ({"executionResult": {"externalExecutionId": RUN}}, RUN),
        ({"executionResult": {"externalExecutionId": STACK}, "outputVariables": {"SageMakerModelName": "one"}}, STACK),
        ({}, ""),
    ],
)
def test_a_state_machines_execution_is_known_by_the_documented_variable(
    output: dict[str, Any], external: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"stageName": "Run", "actionName": "run_jobs", "status": "Succeeded", "output": output}

    def codepipeline(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        assert headers["X-Amz-Target"] == "CodePipeline_20150709.ListActionExecutions"
        return 200, {}, json.dumps({"actionExecutionDetails": [told]})

    with serving(codepipeline) as url:
        use_endpoint(monkeypatch, url)
        (action,) = Aws(settings).actions("mlops-pipeline-a", "execution-id")
    assert action.external == external
