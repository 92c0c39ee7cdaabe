# SPDX-License-Identifier: Apache-2.0
"""What a tuning job is to search: its ranges against its algorithm, its settings and its static hyperparameters.

Pure: a canonical body and its schema in, problems and warnings out. A field with the ranges says with `x-tuning` which
fields have the algorithm, its version, the static hyperparameters, the tuner's settings and the validation data. What
AWS checks: https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html, and the messages of
CreateHyperParameterTuningJob.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.catalog import Schema
from chalicelib.errors import Code, Problem
from chalicelib.intake import hyperparameters, ranges
from chalicelib.intake.hyperparameters import Findings
from chalicelib.intake.ranges import CATEGORICAL, CONTINUOUS, Range
from chalicelib.intake.request import Body
from chalicelib.nearest import nearest
from chalicelib.quoting import pointer, shown

MOST_JOBS = 750
MOST_RANDOM_JOBS = 10_000  # on request; of Random only
MAXIMIZE, MINIMIZE = "Maximize", "Minimize"
# Where Hyperband finds how long a job may train, if its settings do not say.
EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")


def check(body: Body, schema: Schema, wrong: set[str]) -> Findings:
    """What AWS would reject of each search in a body; fields in `wrong` (JSON pointers) are left out."""
    found = Findings()
    for name, about in schema["properties"].items():
        roles: Mapping[str, str] | None = about.get("x-tuning")
        given = body.get(name)
        if not roles or not isinstance(given, dict) or f"/{name}" in wrong:
            continue
        path, space = pointer(name), {}
        for one, value in given.items():
            if path + pointer(one) in wrong:
                continue
            space[one], problems = ranges.read(one, value, path)
            found.problems += problems
        usable = {role: _value(body, where) for role, where in roles.items() if not _touched(where, wrong)}
        search = _Search(path, roles, usable, {one: value for one, value in space.items() if value}, found)
        search.check(complete=all(space.values()) and len(space) == len(given))
    return found


def _value(body: Body, where: str) -> Any:
    return body.get(where.removeprefix("/"), "")


def _touched(where: str, wrong: set[str]) -> bool:
    return any(path == where or path.startswith(f"{where}/") for path in wrong)


@dataclass(frozen=True)
class _Search:
    """The ranges of one field, and the values of the fields around it that are right."""

    path: str
    roles: Mapping[str, str]
    values: Mapping[str, Any]
    space: Mapping[str, Range]
    found: Findings

    def check(self, complete: bool) -> None:
        """Add what is wrong; what depends on all ranges only if they are `complete`."""
        static = self.values.get("static") or {}
        algorithm = str(self.values.get("algorithm"))
        known = hyperparameters.is_checked(algorithm, static)
        for name in self.space:
            if name in static:
                where = self.roles["static"]
                problem = f"has a value in {where}, too"
                self._problem(self.path + pointer(name), Code.CONFLICT, problem, "remove one of them")
            elif name in hyperparameters.SCRIPT_MODE and not known:
                problem = "cannot be searched: the training jobs may read the one script of the request"
                hint = f"write it in {self.roles['static']}"
                self._problem(self.path + pointer(name), Code.CONFLICT, problem, hint)
        if known:
            self._ranges_of(algorithm)
        settings = self.values.get("settings")
        if isinstance(settings, dict):
            self._objective(algorithm, known, settings)
            self._hyperband(settings, static)
            if complete:
                self._jobs(settings)

    def _problem(self, path: str, code: Code, problem: str, hint: str = "") -> None:
        self.found.problems.append(Problem(path, code, problem, hint))

    # --- the algorithm -----------------------------------------------------------------------------------------

    def _ranges_of(self, algorithm: str) -> None:
        takes, tunable = hyperparameters.takes(algorithm), hyperparameters.tunable(algorithm)
        version = str(self.values.get("version"))
        for name, searched in self.space.items():
            path = self.path + pointer(name)
            if name not in takes:
                near = nearest(name, list(takes))
                hint = f"did you mean {near!r}?" if near else "remove it"
                self._problem(path, Code.UNKNOWN_HYPERPARAMETER, f"is not a hyperparameter of {algorithm}", hint)
                continue
            rule = takes[name]
            if searched.kind != CATEGORICAL and rule[0] not in ("integer", "number"):
                problem = f"{name} of {algorithm} has no {searched.kind} values"
                self._problem(f"{path}/0", Code.WRONG_HYPERPARAMETER, problem, "use 'categorical'")
                continue
            if searched.kind == CONTINUOUS and rule[0] == "integer":
                problem = f"{name} of {algorithm} has whole numbers only"
                self._problem(f"{path}/0", Code.WRONG_HYPERPARAMETER, problem, "use 'integer'")
                continue
            for index, value in enumerate(searched.values):
                refusal = hyperparameters.refusal(f"{path}/1/{index}", algorithm, version, name, value)
                if refusal:
                    refused, sure = refusal
                    (self.found.problems if sure else self.found.warnings).append(refused)
            if tunable and name not in tunable:
                problem = f"AWS does not document {name} of {algorithm} as tunable and may reject it"
                hint = f"tunable are {', '.join(tunable)}"
                self.found.warnings.append(Problem(path, Code.WRONG_HYPERPARAMETER, problem, hint))

    def _objective(self, algorithm: str, known: bool, settings: Mapping[str, Any]) -> None:
        metric = settings.get("objective_metric_name")
        if not isinstance(metric, str):
            return
        path, direction = f"{self.roles['settings']}/objective_metric_name", settings.get("objective_type", MAXIMIZE)
        emitted = hyperparameters.metrics(algorithm) if known else {}
        if known and settings.get("metric_definitions"):
            problem = f"{algorithm} has metrics of its own, which a request cannot redefine"
            self._problem(f"{self.roles['settings']}/metric_definitions", Code.CONFLICT, problem, "remove it")
        if emitted and metric not in emitted:
            near = nearest(metric, list(emitted))
            hint = f"did you mean {near!r}?" if near else f"for example {next(iter(emitted))}"
            self._problem(path, Code.NOT_ALLOWED_VALUE, f"{shown(metric)} is not a metric of {algorithm}", hint)
        elif emitted and emitted[metric] != direction:
            problem = f"{direction} cannot be used with {metric}, of which {_better(emitted[metric])} values are better"
            self._problem(f"{self.roles['settings']}/objective_type", Code.CONFLICT, problem, emitted[metric])
        elif not emitted and not self._defined(metric, settings):
            problem = f"{shown(metric)} may not be a metric of {algorithm}, which only the training job shows"
            hint = "" if known else "define it in metric_definitions, unless the image does"
            self.found.warnings.append(Problem(path, Code.WRONG_HYPERPARAMETER, problem, hint))
        if known and metric.startswith("validation:") and not self.values.get("validation", True):
            where = self.roles["validation"]
            self._problem(where, Code.MISSING, "is missing", f"required by the objective metric {metric}")

    def _defined(self, metric: str, settings: Mapping[str, Any]) -> bool:
        return any(one.get("Name") == metric for one in settings.get("metric_definitions") or ())

    # --- the settings ------------------------------------------------------------------------------------------

    def _hyperband(self, settings: Mapping[str, Any], static: Mapping[str, Any]) -> None:
        where = self.roles["settings"]
        if settings.get("strategy") != "Hyperband":
            for name in ("min_resource", "max_resource"):
                if name in settings:
                    problem = f"cannot be used with the strategy {settings.get('strategy', 'Bayesian')}"
                    self._problem(f"{where}/{name}", Code.CONFLICT, problem, "remove it, or use the strategy Hyperband")
            return
        if settings.get("early_stopping_type", "Off") != "Off":
            problem = "'Auto' cannot be used with the strategy Hyperband, which stops training jobs itself"
            self._problem(f"{where}/early_stopping_type", Code.CONFLICT, problem, "'Off'")
        low, high = settings.get("min_resource", 1), settings.get("max_resource")
        if high is None and not set(EPOCHS) & {*static}:
            hint = f"the most epochs or rounds of a training job; AWS reads it from {', '.join(EPOCHS)} otherwise"
            self._problem(f"{where}/max_resource", Code.MISSING, "is missing", hint)
        if isinstance(low, int) and isinstance(high, int) and low > high:
            problem = f"{low} is greater than max_resource ({high})"
            self._problem(f"{where}/min_resource", Code.CONFLICT, problem, f"at most {high}")

    def _jobs(self, settings: Mapping[str, Any]) -> None:
        where, strategy = self.roles["settings"], settings.get("strategy", "Bayesian")
        combinations = ranges.combinations(self.space)
        jobs = settings.get("max_jobs")
        if strategy == "Grid":
            jobs = self._grid(jobs, combinations)
        else:
            jobs = 1 if jobs is None else jobs  # the SDK's default
            most = MOST_RANDOM_JOBS if strategy == "Random" else MOST_JOBS
            if jobs > most:
                self._problem(f"{where}/max_jobs", Code.TOO_LARGE, f"{jobs} is too large", f"at most {most}")
            if combinations is not None and jobs > combinations:
                problem = f"{jobs} is greater than the number of combinations of the ranges ({combinations})"
                self._problem(f"{where}/max_jobs", Code.CONFLICT, problem, f"at most {combinations}, or wider ranges")
        parallel = settings.get("max_parallel_jobs", 1)
        if jobs is not None and parallel > jobs:
            problem = f"{parallel} is greater than the number of training jobs ({jobs})"
            self._problem(f"{where}/max_parallel_jobs", Code.CONFLICT, problem, f"at most {jobs}")

    def _grid(self, jobs: int | None, combinations: int | None) -> int | None:
        """The training jobs of a grid; None if its ranges are wrong."""
        others = list(self._not_categorical())
        for name, searched in others:
            problem = f"{searched.kind} cannot be used with the strategy Grid"
            hint = "use 'categorical' with a list of values"
            self._problem(f"{self.path}{pointer(name)}/0", Code.CONFLICT, problem, hint)
        if others or combinations is None:
            return None
        if combinations > MOST_JOBS:
            problem = f"has {combinations} combinations, each of which Grid trains"
            self._problem(self.path, Code.TOO_MANY, problem, f"at most {MOST_JOBS}")
        elif jobs is not None and jobs != combinations:
            problem = f"{jobs} is not the number of combinations, {combinations}, all of which Grid trains"
            hint = f"remove it, or write {combinations}"
            self._problem(f"{self.roles['settings']}/max_jobs", Code.CONFLICT, problem, hint)
        return combinations

    def _not_categorical(self) -> Iterator[tuple[str, Range]]:
        return ((name, one) for name, one in self.space.items() if one.kind != CATEGORICAL)


def _better(direction: str) -> str:
    return "higher" if direction == MAXIMIZE else "lower"
