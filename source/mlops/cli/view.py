# SPDX-License-Identifier: Apache-2.0
"""A pipeline's status document as text, complete or only what is new. Long lines wrap and are never truncated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from mlops.cli import show
from mlops.cli.show import MARKS, spaced

APPROVE = "approve it in the CodePipeline console or with: aws codepipeline put-approval-result"


@dataclass(frozen=True)
class Event:
    """One fact of a status document that a watcher prints when it is new."""

    state: str
    text: str

    @property
    def in_progress(self) -> bool:
        return MARKS.get(self.state, show.NO_MARK)[1] == "cyan"


def pipeline(document: Mapping[str, Any]) -> Iterator[Text]:
    """A pipeline's status, line by line: its stages and actions, the job, and why it failed."""
    found = document["pipeline"]
    mark, style = MARKS.get(found["status"], show.NO_MARK)
    yield Text.assemble((f"{mark} ", style), (found["name"], "bold"), "  ", (spaced(found["status"]), style))
    stages = stages_now(found)
    names = [stage["name"] for stage in stages]
    names += [f"  {action['name']}" for stage in stages for action in stage.get("actions", [])]
    width = max(map(len, names), default=0)
    for stage in stages:
        yield row(stage["name"], stage.get("status"), width)
        for action in stage.get("actions", []):
            message = "" if found.get("reason") else failed_with(action)
            yield row(action["name"], state_of(action), width, elapsed(action) or message, indent=2)
    if job := found.get("job"):
        yield from job_block(job)
    if found["status"] == "WaitingForApproval":
        yield Text(f"  {APPROVE}", "yellow")
    if found.get("reason"):
        yield Text.assemble(("  Reason: ", "red"), str(found["reason"]))


def row(name: str, state: str | None, width: int, detail: str = "", *, indent: int = 0) -> Text:
    mark, style = MARKS.get(state or "", show.NO_MARK)
    line = Text.assemble(
        (f"  {'':<{indent}}{mark} ", style),
        (f"{name:<{width - indent}}  ", "" if indent else "bold"),
        (f"{spaced(state or ''):<11}  ", style),
        (detail, "dim"),
    )
    line.rstrip()
    return line


def events(document: Mapping[str, Any]) -> Iterator[Event]:
    """The states of the latest run's actions and job, without the pipeline's final status and reason."""
    found = document["pipeline"]
    for stage in stages_now(found):
        for action in stage.get("actions", []):
            if state := state_of(action):
                yield Event(state, f"{stage['name']} / {action['name']}: {spaced(state)}")
    if (job := found.get("job")) and found["status"] != "Succeeded":  # then it is printed with its artifact
        yield Event(str(job["status"]), job_line(job))
    if found["status"] == "WaitingForApproval":
        yield Event("WaitingForApproval", APPROVE)


def now(document: Mapping[str, Any]) -> str:
    """What is in progress, with its time: for a spinner below the pipeline's name."""
    found = document["pipeline"]
    actions = [
        f"{stage['name']} / {action['name']} {elapsed(action)}".rstrip()
        for stage in stages_now(found)
        for action in stage.get("actions", [])
        if action.get("status") == "InProgress"
    ]
    job = [job_line(found["job"])] if found.get("job") else []
    return "; ".join([spaced(found["status"]), *actions, *job])


def job_line(job: Mapping[str, Any]) -> str:
    words = dict.fromkeys(filter(None, (job["status"], job.get("progress"))))  # once, where both are the same
    return f"{spaced(job['kind'])} {job['name']}: {', '.join(map(spaced, words))}"


def job_block(job: Mapping[str, Any]) -> Iterator[Text]:
    """The job of the latest run: its name, status, times, best job, final metrics and artifact."""
    mark, style = MARKS.get(job["status"], show.NO_MARK)
    yield Text.assemble((f"  {mark} ", style), job_line(job))
    facts = job_facts(job)
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        yield Text.assemble((f"      {name:<{width}}  ", "dim"), value)


def job_facts(job: Mapping[str, Any]) -> dict[str, str]:
    metrics = ", ".join(f"{name} {value:.6g}" for name, value in (job.get("metrics") or {}).items())
    found = {
        "started": moment(job.get("started")),
        "ended": moment(job.get("ended")),
        "best": _best(job.get("best") or {}),
        "metrics": metrics,
        "artifact": str(job.get("artifact") or ""),
        "registered": str(job.get("registered") or ""),
    }
    return {name: value for name, value in found.items() if value}


def _best(job: Mapping[str, Any]) -> str:
    """The best of the jobs that a job started, and what was found for it."""
    found = ", ".join(f"{name} {value}" for name, value in job.get("hyperparameters", {}).items())
    return f"{job['name']}: {found}" if job else ""


def moment(iso: str | None) -> str:
    """A moment in the local time zone, to the second."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if iso else ""


def stages_now(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The stages of the latest run; stages that it has not reached have no status."""
    stages = found.get("stages", [])
    latest = stages[0].get("execution") if stages else None
    return [
        stage
        if stage.get("execution") in (None, latest) or stage.get("status") == "InProgress"
        else {"name": stage["name"], "actions": [{"name": action["name"]} for action in stage["actions"]]}
        for stage in stages
    ]


def state_of(action: Mapping[str, Any]) -> str | None:
    """An action's status. CodePipeline reports InProgress for an action that waits for approval."""
    return "WaitingForApproval" if action.get("waiting") else action.get("status")


def failed_with(action: Mapping[str, Any]) -> str:
    return str(action.get("message") or "") if action.get("status") == "Failed" else ""


def elapsed(action: Mapping[str, Any]) -> str:
    """How long an action has been in progress."""
    if action.get("status") != "InProgress" or not action.get("changed"):
        return ""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(str(action["changed"]))).total_seconds()
    return f"{max(0, seconds):.0f} s"
