# SPDX-License-Identifier: Apache-2.0
"""What can go wrong: errors, each with its HTTP status, and the problems of a request, each with its code.

    OrchestratorError                500  a defect of the orchestrator
    |-- BadRequest                   400  the request is wrong: every problem in it
    |   `-- TooLarge                 413  the body is over 64 KiB
    |-- NotFound                     404  no such pipeline, or not one of this orchestrator
    |-- Conflict                     409  the name is in use for something else, or busy
    `-- Unavailable                  503  AWS throttles or fails: try again

Every error is returned as {"message", "errors": [{"path", "code", "problem", "hint"?}], "request_id"}.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique

from chalicelib.quoting import TEXT, cut

MOST_PROBLEMS = 100  # that one response lists


@unique
class Code(Enum):
    """What kind of problem it is: the code is the name in lower case, the value describes it, as in docs/api.md.

    Clients may rely on codes; the words of a problem may change.
    """

    MISSING = "a required key is missing"
    UNKNOWN_KEY = "no pipeline type has this key, or no route this query parameter"
    UNUSED_KEY = "warning: the key belongs to another pipeline type; it is ignored"
    DUPLICATE_KEY = "an object has the key more than once"
    CONFLICT = "the value cannot be used together with that of another key"
    INVALID_JSON = "the body, or JSON in a string, is not JSON in UTF-8"
    TOO_DEEP = "the JSON is nested too deep"
    UNSAFE_TEXT = "a string has control characters, or an expression that AWS would evaluate"
    WRONG_TYPE = "the value has another JSON type"
    WRONG_FORMAT = "the string does not have the required form"
    NOT_ALLOWED_VALUE = "the value is not one of those allowed"
    TOO_SMALL = "the number is too small"
    TOO_LARGE = "the number is too large"
    TOO_SHORT = "the string has too few characters"
    TOO_LONG = "the string has too many characters or bytes, or the body too many bytes"
    TOO_FEW = "the list or object has too few entries"
    TOO_MANY = "the list or object has too many entries"
    NOT_REACHABLE = "requests may not name this bucket, image, model package or key in this deployment"
    NOT_SUPPORTED = "the deployment does not support the pipeline type"
    UNKNOWN_FRAMEWORK = "SageMaker has no such framework or built-in algorithm"
    UNKNOWN_VERSION = "the framework has no such version"
    NO_IMAGE = "the framework has no image, or several, for this use, instance type or Region"
    WRONG_HYPERPARAMETER = "the algorithm does not accept this value (as a warning: may not)"
    UNKNOWN_HYPERPARAMETER = "the algorithm has no known hyperparameter of this name (a warning unless it has a range)"
    UNKNOWN_PIPELINE = "the pipeline that the value names does not exist"
    NO_SUCCESSFUL_RUN = "the pipeline that the value names has no successful run yet"
    NO_MODEL = "the last successful run of the named pipeline created no usable model"
    RESOLVED_LATER = "warning: the value is resolved when the request is sent"
    UNKNOWN_MODEL_PACKAGE = "the model package or the group that the value names does not exist"
    NOT_APPROVED = "the model package is not approved, or the group has no approved version"
    NO_PACKAGE_VERSION = "warning: the ARN of the model package has no version"
    OTHER_REGION = "warning: the key is in another Region or partition"
    NOT_APPLIED = "warning: the value is not used for a part of what it is for"
    BEYOND_LIMIT = "warning: a limit of AWS takes effect before the value does"
    UNKNOWN_RESOURCE = "the model, training job or object in S3 that the value names does not exist"
    CHANGED_MEANWHILE = "warning: another request changed the model card at the same time"
    UNKNOWN_PAGE = "the value of next is not one that the API returned"
    MORE_PROBLEMS = "further problems that are not listed"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: where (a JSON pointer), of what kind, in words, and what to write instead.

    Path, words and hint are cut.
    """

    path: str
    code: Code
    problem: str
    hint: str = ""

    def __post_init__(self) -> None:
        for name in ("path", "problem", "hint"):
            object.__setattr__(self, name, cut(getattr(self, name), TEXT))

    def document(self) -> dict[str, str]:
        """The problem as the API returns it."""
        found = {"path": self.path, "code": self.code.name.lower(), "problem": self.problem}
        return {**found, "hint": self.hint} if self.hint else found


RETRY_AFTER = 5  # seconds: what AWS throttles, or fails to do, it does a moment later


class OrchestratorError(Exception):
    """An error that is returned to the caller; a subclass has its status."""

    status = 500

    def __init__(self, message: str, *, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail  # AWS's own words: logged, and returned where the deployment allows it
        self.retry_after = retry_after  # seconds
        self.problems: list[Problem] = []


class BadRequest(OrchestratorError):
    """The request is wrong; `problems` has everything that is, up to MOST_PROBLEMS."""

    status = 400

    def __init__(self, message: str, problems: list[Problem]) -> None:
        super().__init__(message)
        self.problems = problems[:MOST_PROBLEMS]
        if (more := len(problems) - MOST_PROBLEMS) > 0:
            hint = "correct the listed problems first"
            self.problems.append(Problem("", Code.MORE_PROBLEMS, f"and {more} more problems", hint))


class TooLarge(BadRequest):
    """The body is larger than any request needs."""

    status = 413


class NotFound(OrchestratorError):
    """No such pipeline, or one that this orchestrator didn't make."""

    status = 404


class Conflict(OrchestratorError):
    """The name is in use for something else, or what exists under it is busy."""

    status = 409


class Unavailable(OrchestratorError):
    """AWS throttles, fails or refuses; nothing is lost by trying again."""

    status = 503
