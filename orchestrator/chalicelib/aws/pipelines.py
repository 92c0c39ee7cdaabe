# SPDX-License-Identifier: Apache-2.0
"""CodePipeline: the delivery pipelines, their executions and their state."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from chalicelib.aws.calls import Calls, code, translated
from chalicelib.cloud import Document, PipelineGone
from chalicelib.found import Execution


class Pipelines(Calls):
    """Calls to CodePipeline."""

    @translated
    def latest_execution(self, pipeline: str) -> Execution | None:
        from botocore.exceptions import ClientError

        try:
            listed = self.client("codepipeline").list_pipeline_executions(pipelineName=pipeline, maxResults=1)
        except ClientError as error:
            if code(error) == "PipelineNotFoundException":
                raise PipelineGone from error
            raise
        for one in listed["pipelineExecutionSummaries"]:
            revisions = [revision.get("revisionId", "") for revision in one.get("sourceRevisions", [])]
            return Execution(
                one["pipelineExecutionId"],
                one["status"],
                revisions[0] if revisions else "",
                one["startTime"].timestamp(),
            )
        return None

    @translated
    def start(self, pipeline: str, version: str, token: str) -> str:
        started = self.client("codepipeline").start_pipeline_execution(
            name=pipeline,
            clientRequestToken=token,
            sourceRevisions=[
                {
                    "actionName": "S3Source",
                    "revisionType": "S3_OBJECT_VERSION_ID",
                    "revisionValue": version,
                }
            ],
        )
        return str(started["pipelineExecutionId"])

    @translated
    def pipeline_state(self, pipeline: str) -> Document:
        from botocore.exceptions import ClientError

        try:
            state = self.client("codepipeline").get_pipeline_state(name=pipeline)
        except ClientError as error:
            if code(error) == "PipelineNotFoundException":
                raise PipelineGone from error
            raise
        document: Document = json.loads(json.dumps(state, default=_iso))
        return document


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
