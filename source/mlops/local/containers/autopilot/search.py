# SPDX-License-Identifier: Apache-2.0
"""The work of an Autopilot job: `python -m mlops.local.containers.autopilot.search TREE`.

    input/config/job.json       what is asked for (`Request`)
    input/data/training/...     CSV files, and input/data/validation/... where there are some
    output/progress             a line of JSON for each step, while it works (`Progress`)
    output/notebooks/...        what was found in the data, and which candidates there are
    output/failure              why it could not be done
    candidates/<name>/...       the model of each candidate

Each candidate is fitted and measured on the same folds, which only the data and SEED determine.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from mlops.local.containers import process
from mlops.local.containers.autopilot import artifact, candidates, modes, notebooks
from mlops.local.containers.autopilot.candidates import Candidate, Evaluated
from mlops.local.containers.autopilot.data import Data, prepare
from mlops.local.containers.autopilot.errors import OutOfTime
from mlops.local.containers.autopilot.objectives import DEFAULT


@dataclass(frozen=True)
class Request:
    """What an Autopilot job asks for; empty and 0 where it does not say."""

    name: str
    target: str
    weights: str
    problem_type: str
    objective: str
    mode: str
    algorithms: list[str]
    max_candidates: int
    seconds_each: int
    seconds_total: float
    fraction: float
    definitions_only: bool


class Progress:
    """Tells who started this process how far it is."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def tell(self, event: str, **what: Any) -> None:
        """One step: a line of JSON in the file, and one to read in the log."""
        with self._file.open("a") as file:
            file.write(json.dumps({"event": event, **what}) + "\n")
        print(event, *(f"{name}={value}" for name, value in what.items() if value), flush=True)


def main(tree: Path) -> int:
    """Do the work; the process's exit status."""
    request = Request(**json.loads((tree / "input" / "config" / "job.json").read_text()))
    return process.main(tree, lambda: _search(tree, request, Progress(tree / "output" / "progress")))


def _search(tree: Path, request: Request, progress: Progress) -> None:
    deadline = time.monotonic() + request.seconds_total
    progress.tell("status", status="AnalyzingData")
    data = prepare(tree / "input" / "data", request.target, request.weights, request.problem_type, request.fraction)
    objective = request.objective or DEFAULT[data.problem.kind]
    progress.tell("resolved", problem_type=data.problem.kind, objective=objective)
    for note in data.notes:
        print(note, flush=True)
    wanted = candidates.definitions(request.mode, request.algorithms, request.max_candidates, request.name)
    notebooks.write(tree / "output" / "notebooks", data, objective, wanted)
    progress.tell("documents")
    if request.definitions_only:
        progress.tell("finished", status="CandidateDefinitionsGenerated")
        return
    for status in modes.STATUSES[request.mode]:
        progress.tell("status", status=status)
    done: list[Evaluated] = []
    features = candidates.Features(data)
    for candidate in wanted:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        progress.tell("begun", name=candidate.name, algorithm=candidate.algorithm)
        try:
            with _limited(min(left, request.seconds_each or left)):
                found = candidates.evaluate(candidate, data, features, done, objective)
                _save(tree, found, data, request, objective)
        except OutOfTime:
            total = time.monotonic() >= deadline
            limit = "MaxAutoMLJobRuntimeInSeconds" if total else "MaxRuntimePerTrainingJobInSeconds"
            progress.tell("ended", name=candidate.name, status="Stopped", reason=f"{limit} is over")
        except Exception as error:
            traceback.print_exc()
            reason = f"AlgorithmError: {type(error).__name__}: {error}"
            progress.tell("ended", name=candidate.name, status="Failed", reason=reason)
        else:
            done.append(found)
            progress.tell("ended", name=candidate.name, status="Completed", metrics=found.metrics)
    late = time.monotonic() >= deadline
    progress.tell("finished", status="MaxAutoMLJobRuntimeReached" if late else "Completed")


def _save(tree: Path, found: Evaluated, data: Data, request: Request, objective: str) -> None:
    candidate: Candidate = found.candidate
    description = {
        "problem": data.problem.kind,
        "labels": data.problem.labels,
        "target": request.target,
        "columns": [column.name for column in data.columns],
        "algorithm": candidate.algorithm,
        "hyperparameters": found.hyperparameters,
        "objective": objective,
        "metrics": found.metrics,
        "folds": len(data.splits),
        "seed": data.seed,
    }
    folder = tree / "candidates" / candidate.name
    artifact.save(folder, found.model, description)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raises OutOfTime in what takes longer."""

    def over(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
