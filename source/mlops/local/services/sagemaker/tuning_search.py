# SPDX-License-Identifier: Apache-2.0
"""What a tuning job tries next: the search of its ranges, by Optuna where it is not a grid.

In: ranges, a strategy and what trials came to. Out: hyperparameters as text, as SageMaker passes them to a job. Nothing
here knows jobs, so that a search can be tried without one. Optuna is imported when the first search begins.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.intake.ranges import (
    AUTO,
    CATEGORICAL,
    INTEGER,
    LINEAR,
    LOGARITHMIC,
    REVERSE_LOGARITHMIC,
    Range,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial as OptunaTrial

Space = Mapping[str, Range]
Hyperparameters = dict[str, str]

_WIDE = 100  # Auto searches a range of positive numbers by their logarithms if its ends differ by this factor
_FIRST_AT_RANDOM = (2, 10)  # of a Bayesian search: at least, at most
_REPEATS = 100  # of a combination that was tried already, before the next one is taken from a list of all
_LISTED = 100_000  # combinations, at most, of which the untried ones are listed


@dataclass
class Trial:
    """One combination of hyperparameters, and what it came to."""

    number: int
    hyperparameters: Hyperparameters
    asked: OptunaTrial | None = None
    reported: int = 0  # values of the objective that the search has seen


@dataclass
class Search:
    """A search of ranges for the highest or lowest objective."""

    strategy: str  # Bayesian, Random, Grid or Hyperband
    space: Space
    maximize: bool
    jobs: int
    seed: int | None = None
    resources: tuple[int, int] | None = None  # of Hyperband: the fewest and the most steps of a trial
    _seen: set[tuple[str, ...]] = field(default_factory=set)
    _made: int = 0

    def __post_init__(self) -> None:
        self._grid = grid(self.space) if self.strategy == "Grid" else None
        self._study = None if self._grid else self._new_study()

    def _new_study(self) -> Study:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        first = max(_FIRST_AT_RANDOM[0], min(_FIRST_AT_RANDOM[1], self.jobs // 3))
        sampler: optuna.samplers.BaseSampler = (
            optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=first)
            if self.strategy == "Bayesian"
            else optuna.samplers.RandomSampler(seed=self.seed)
        )
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        if self.resources:
            fewest, most = self.resources
            pruner = optuna.pruners.HyperbandPruner(min_resource=fewest, max_resource=most)
        # The name decides in which bracket Hyperband puts a trial: the same in every search.
        return optuna.create_study(
            study_name="tuning",
            direction="maximize" if self.maximize else "minimize",
            sampler=sampler,
            pruner=pruner,
        )

    def learn(self, hyperparameters: Mapping[str, str], objective: float) -> bool:
        """Take what an earlier tuning job found as an observation; false where it lies outside of these ranges."""
        if self._study is None or not all(
            name in hyperparameters and contains(searched, hyperparameters[name])
            for name, searched in self.space.items()
        ):
            return False
        import optuna

        distributions = {name: distribution(searched) for name, searched in self.space.items()}
        params = {name: inward(searched, hyperparameters[name]) for name, searched in self.space.items()}
        self._study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, value=objective),
        )
        return True

    def ask(self) -> Trial:
        """The next trial."""
        self._made += 1
        if self._grid is not None:
            return Trial(self._made, next(self._grid))
        for _ in range(_REPEATS):
            trial = self._asked()
            if tuple(trial.hyperparameters.values()) not in self._seen:
                break
            self._forget(trial)
        else:
            trial = self._asked(self._untried())
        self._seen.add(tuple(trial.hyperparameters.values()))
        return trial

    def _asked(self, given: Mapping[str, Any] | None = None) -> Trial:
        assert self._study is not None
        if given is not None:
            self._study.enqueue_trial(dict(given))
        asked = self._study.ask({name: distribution(searched) for name, searched in self.space.items()})
        chosen = {name: outward(searched, asked.params[name]) for name, searched in self.space.items()}
        return Trial(self._made, chosen, asked)

    def _forget(self, trial: Trial) -> None:
        import optuna

        assert self._study is not None and trial.asked is not None  # noqa: PT018
        self._study.tell(trial.asked, state=optuna.trial.TrialState.FAIL)

    def _untried(self) -> Mapping[str, Any] | None:
        """A combination that was not tried; None where there are too many to list, or none is left."""
        sizes = [searched.combinations for searched in self.space.values()]
        if None in sizes or math.prod(size for size in sizes if size) > _LISTED:
            return None
        for values in itertools.product(*map(members, self.space.values())):
            if values not in self._seen:
                return {
                    name: inward(searched, value)
                    for (name, searched), value in zip(self.space.items(), values, strict=True)
                }
        return None

    def report(self, trial: Trial, values: Sequence[float]) -> bool:
        """Tell all values of a running trial's objective so far; whether Hyperband gives it up."""
        if trial.asked is None or self.resources is None:
            return False
        while trial.reported < len(values):
            trial.reported += 1
            trial.asked.report(values[trial.reported - 1], trial.reported)
            if trial.reported >= self.resources[1] or trial.asked.should_prune():
                return True
        return False

    def tell(self, trial: Trial, objective: float | None) -> None:
        """Tell what a trial came to; None: it has no objective."""
        if self._study is None or trial.asked is None:
            return
        if objective is None:
            self._forget(trial)
        else:
            self._study.tell(trial.asked, objective)


# --- values ------------------------------------------------------------------------------------------------


def scaling(searched: Range) -> str:
    """How a range of numbers is searched: Auto is Linear, or Logarithmic where the ends are far from each other."""
    if searched.scaling != AUTO:
        return searched.scaling
    low, high = searched.ends
    return LOGARITHMIC if low > 0 and high / low >= _WIDE else LINEAR


def distribution(searched: Range) -> BaseDistribution:
    """A range as Optuna searches it."""
    from optuna import distributions

    if searched.kind == CATEGORICAL:
        return distributions.CategoricalDistribution(searched.values)
    low, high = searched.ends
    if searched.kind == INTEGER:
        return distributions.IntDistribution(int(low), int(high), log=scaling(searched) == LOGARITHMIC)
    if scaling(searched) == REVERSE_LOGARITHMIC:  # the logarithm of the distance from 1 is what is even
        return distributions.FloatDistribution(1 - high, 1 - low, log=True)
    return distributions.FloatDistribution(low, high, log=scaling(searched) == LOGARITHMIC)


def outward(searched: Range, value: Any) -> str:
    """A value that Optuna chose, as a hyperparameter."""
    if searched.kind == CATEGORICAL or searched.kind == INTEGER:
        return str(value)
    low, high = searched.ends
    number = 1 - value if scaling(searched) == REVERSE_LOGARITHMIC else value
    return repr(float(min(max(number, low), high)))


def inward(searched: Range, text: str) -> Any:
    """A hyperparameter, as Optuna knows it."""
    if searched.kind == CATEGORICAL:
        return text
    if searched.kind == INTEGER:
        return int(text)
    low, high = searched.ends
    if scaling(searched) == REVERSE_LOGARITHMIC:
        return min(max(1 - float(text), 1 - high), 1 - low)
    return float(text)


def contains(searched: Range, text: str) -> bool:
    """Whether a hyperparameter lies in a range."""
    if searched.kind == CATEGORICAL:
        return text in searched.values
    try:
        number = float(int(text) if searched.kind == INTEGER else float(text))
    except ValueError:
        return False
    low, high = searched.ends
    return low <= number <= high


def members(searched: Range) -> Sequence[str]:
    """All values of a range that has a number of them."""
    if searched.kind == CATEGORICAL:
        return searched.values
    low, high = searched.ends
    return [str(one) for one in range(int(low), int(high) + 1)] if searched.kind == INTEGER else [searched.values[0]]


def grid(space: Space) -> Iterator[Hyperparameters]:
    """Every combination of categories, in their order."""
    for values in itertools.product(*map(members, space.values())):
        yield dict(zip(space, values, strict=True))
