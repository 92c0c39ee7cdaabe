# SPDX-License-Identifier: Apache-2.0
"""The candidates of Autopilot jobs: from their beginning to their end, which is the best, and the list of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops.local.containers.autopilot import objectives
from mlops.local.kit import paging
from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker.service import invalid, now, sagemaker, store
from mlops.local.state.store import Record

_DEFAULT_PAGE = 10
_OBJECTIVE = "FinalAutoMLJobObjectiveMetric"
_jobs = store.table("AutoMLJob")
_candidates = store.table("AutoMLCandidates")  # by the name of their job


def begin(job: Record, name: str) -> None:
    """A candidate is being fitted."""
    moment = now()
    _add(
        job,
        {
            "CandidateName": name,
            "ObjectiveStatus": "Pending",
            "CandidateStatus": "InProgress",
            "CandidateSteps": [],  # the laptop account has no training jobs of its own for candidates
            "CreationTime": moment,
            "LastModifiedTime": moment,
        },
    )


def complete(job: Record, name: str, metrics: Mapping[str, Mapping[str, float]], containers: list[Record]) -> None:
    """A candidate is fitted and measured; it is the job's best if no other is as good."""
    objective = job["ResolvedAttributes"]["AutoMLJobObjective"]["MetricName"]
    value = metrics["Validation"][objective]
    candidate = _end(
        job,
        name,
        "Completed",
        {
            "ObjectiveStatus": "Succeeded",
            _OBJECTIVE: {
                "Type": "Minimize" if objective in objectives.MINIMIZED else "Maximize",
                "MetricName": objective,
                "StandardMetricName": objective,
                "Value": value,
            },
            "InferenceContainers": containers,
            "CandidateProperties": {"CandidateMetrics": list(_metrics(metrics))},
        },
    )
    best = job.get("BestCandidate")
    if best is None or objectives.better(objective, value, best[_OBJECTIVE]["Value"]):
        job["BestCandidate"] = candidate


def end(job: Record, name: str, status: str, reason: str) -> None:
    """A candidate came to nothing."""
    _end(job, name, status, {"ObjectiveStatus": "Failed", "FailureReason": reason})


def end_all(job: Record) -> None:
    """The job has ended, and with it the candidate that was being fitted."""
    for candidate in _of(job["AutoMLJobName"]):
        if candidate["CandidateStatus"] == "InProgress":
            stopped = job["AutoMLJobStatus"] == "Stopping"
            end(job, candidate["CandidateName"], "Stopped" if stopped else "Failed", "the job has ended")


def last_reason(job: Record) -> str:
    """Why the last candidate came to nothing."""
    reasons = [candidate["FailureReason"] for candidate in _of(job["AutoMLJobName"]) if "FailureReason" in candidate]
    return str(reasons[-1]) if reasons else "there was no time for one"


def _metrics(metrics: Mapping[str, Mapping[str, float]]) -> Any:
    for place, values in metrics.items():
        for name, value in values.items():
            standard = {"StandardMetricName": name, "Value": value, "Set": place}
            yield standard if name == "LogLoss" else {"MetricName": name, **standard}


def _of(job: str) -> list[Record]:
    return list(_candidates.get(job, {"Candidates": []})["Candidates"])


def _add(job: Record, candidate: Record) -> None:
    with _candidates.lock:
        _candidates[job["AutoMLJobName"]] = {"Candidates": [*_of(job["AutoMLJobName"]), candidate]}


def _end(job: Record, name: str, status: str, more: Record) -> Record:
    moment = now()
    with _candidates.lock:
        others = [one for one in _of(job["AutoMLJobName"]) if one["CandidateName"] != name]
        [known] = [one for one in _of(job["AutoMLJobName"]) if one["CandidateName"] == name]
        ended: Record = {**known, **more, "CandidateStatus": status, "LastModifiedTime": moment, "EndTime": moment}
        _candidates[job["AutoMLJobName"]] = {"Candidates": [*others, ended]}
    return ended


@sagemaker.operation("ListCandidatesForAutoMLJob")
def list_candidates(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = request["AutoMLJobName"]
    if name not in _jobs:
        raise invalid("Requested resource not found.")
    found = [
        candidate
        for candidate in _of(name)
        if request.get("StatusEquals") in (None, candidate["CandidateStatus"])
        and request.get("CandidateNameEquals") in (None, candidate["CandidateName"])
    ]
    by = request.get("SortBy", "CreationTime")
    found.sort(key=lambda candidate: _key(candidate, by), reverse=request.get("SortOrder") == "Descending")
    try:
        start = paging.position(request.get("NextToken"))
    except ValueError as error:
        raise invalid("Invalid pagination token.") from error
    stop = start + request.get("MaxResults", _DEFAULT_PAGE)
    return {"Candidates": found[start:stop], **({"NextToken": paging.token(stop)} if stop < len(found) else {})}


def _key(candidate: Record, by: str) -> Any:
    """What a candidate is sorted by; those without a value come first."""
    if by == "FinalObjectiveMetricValue":
        return (_OBJECTIVE in candidate, candidate.get(_OBJECTIVE, {}).get("Value"))
    return candidate["CandidateStatus" if by == "Status" else "CreationTime"], candidate["CandidateName"]
