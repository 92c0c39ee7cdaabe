# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, and the HTTP status each is answered with.

    OrchestratorError                500  a defect of ours
    |-- BadRequest                   400  the request is wrong: every problem in it
    |   `-- TooLarge                 413  the body is over 64 KiB
    |-- NotFound                     404  no such pipeline, or not one of ours
    |-- Conflict                     409  the name is in use for something else, or busy
    `-- Unavailable                  503  AWS throttles or fails: try again

Every error is answered as {"message", "errors": [{"path", "problem", "hint"?}], "request_id"}.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.quoting import TEXT, cut

MOST_PROBLEMS = 100  # that one answer lists


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: where (a JSON pointer), what, and what to write instead; each part is cut."""

    path: str
    problem: str
    hint: str = ""

    def __post_init__(self) -> None:
        for name in ("path", "problem", "hint"):
            object.__setattr__(self, name, cut(getattr(self, name), TEXT))

    def document(self) -> dict[str, str]:
        """The problem as the API answers it."""
        found = {"path": self.path, "problem": self.problem}
        return {**found, "hint": self.hint} if self.hint else found


class OrchestratorError(Exception):
    """An error with an answer; a subclass says which status."""

    status = 500

    def __init__(self, message: str, *, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail  # AWS's own words: logged, and answered where the deployment allows it
        self.retry_after = retry_after  # seconds
        self.problems: list[Problem] = []


class BadRequest(OrchestratorError):
    """The request is wrong; `problems` says everything that is, up to MOST_PROBLEMS."""

    status = 400

    def __init__(self, message: str, problems: list[Problem]) -> None:
        super().__init__(message)
        self.problems = problems[:MOST_PROBLEMS]
        if (more := len(problems) - MOST_PROBLEMS) > 0:
            self.problems.append(Problem("", f"and {more} more problems", "correct the others first"))


class TooLarge(BadRequest):
    """The body is larger than any request needs."""

    status = 413


class NotFound(OrchestratorError):
    """No such pipeline, or one that this orchestrator didn't make."""

    status = 404


class Conflict(OrchestratorError):
    """The name is in use for something else, or what stands under it is busy."""

    status = 409


class Unavailable(OrchestratorError):
    """AWS throttles, fails or refuses; nothing is lost by trying again."""

    status = 503
