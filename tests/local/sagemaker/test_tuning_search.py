# SPDX-License-Identifier: Apache-2.0
"""What a tuning job tries next, without jobs: strategies, scales, seeds, repeats and what earlier jobs found."""

from __future__ import annotations

import statistics
from typing import Any

import pytest
from chalicelib.intake.ranges import Range
from mlops.local.services.sagemaker.tuning_search import Hyperparameters, Search, Trial, contains

ETA = Range("continuous", ("0.001", "1"), "Logarithmic")
DEPTH = Range("integer", ("1", "4"))
BOOSTER = Range("categorical", ("gbtree", "dart"))


def found(search: Search, count: int, objective: Any = lambda given: 0.0) -> list[Hyperparameters]:
    made = []
    for _ in range(count):
        trial = search.ask()
        made.append(trial.hyperparameters)
        search.tell(trial, objective(trial.hyperparameters))
    return made


@pytest.mark.parametrize("strategy", ["Bayesian", "Random", "Hyperband"])
def test_every_value_lies_in_its_range(strategy: str) -> None:
    space = {"eta": ETA, "max_depth": DEPTH, "booster": BOOSTER}
    for given in found(Search(strategy, space, True, 30, seed=1), 30):
        assert given.keys() == space.keys()
        assert all(contains(space[name], value) for name, value in given.items())


@pytest.mark.parametrize("strategy", ["Bayesian", "Random"])
def test_a_seed_repeats_a_search(strategy: str) -> None:
    def search(seed: int) -> list[Hyperparameters]:
        return found(
            Search(strategy, {"eta": ETA, "max_depth": DEPTH}, True, 12, seed=seed), 12, lambda one: float(one["eta"])
        )

    assert search(1) == search(1)
    assert search(1) != search(2)


@pytest.mark.parametrize(
    ("searched", "middle"),
    [
        (Range("continuous", ("0.0001", "1"), "Logarithmic"), 0.01),
        (Range("continuous", ("0.0001", "1"), "Linear"), 0.5),
        (Range("continuous", ("0", "0.9999"), "ReverseLogarithmic"), 0.99),
        (Range("continuous", ("0.0001", "1")), 0.01),  # Auto: the ends are far from each other
        (Range("continuous", ("1", "9")), 5),
        (Range("continuous", ("-1", "1")), 0),
        (Range("integer", ("1", "1000000000"), "Logarithmic"), 31623),
        (Range("integer", ("1", "10001"), "Linear"), 5000),
    ],
)
def test_half_of_the_values_lie_on_each_side_of_the_middle_of_a_scale(searched: Range, middle: float) -> None:
    values = [float(one["x"]) for one in found(Search("Random", {"x": searched}, True, 400, seed=5), 400)]
    below = sum(value < middle for value in values) / len(values)
    assert 0.4 < below < 0.6


def test_a_bayesian_search_comes_closer_than_a_random_one() -> None:
    def distance(strategy: str, seed: int) -> float:
        search = Search(strategy, {"x": Range("continuous", ("0", "1"))}, False, 40, seed=seed)
        return min(
            abs(float(one["x"]) - 0.7) for one in found(search, 40, lambda one: (float(one["x"]) - 0.7) ** 2)[20:]
        )

    seeds = range(5)
    assert statistics.fmean(distance("Bayesian", seed) for seed in seeds) < statistics.fmean(
        distance("Random", seed) for seed in seeds
    )


@pytest.mark.parametrize("strategy", ["Bayesian", "Random"])
def test_no_combination_is_tried_twice(strategy: str) -> None:
    made = found(Search(strategy, {"max_depth": DEPTH, "booster": BOOSTER}, True, 8, seed=3), 8)
    assert len({tuple(one.values()) for one in made}) == 8


def test_a_grid_is_every_combination_in_order() -> None:
    made = found(Search("Grid", {"booster": BOOSTER, "x": Range("categorical", ("1", "2"))}, True, 4), 4)
    assert [tuple(one.values()) for one in made] == [("gbtree", "1"), ("gbtree", "2"), ("dart", "1"), ("dart", "2")]


def test_what_earlier_jobs_found_leads_a_bayesian_search() -> None:
    space = {"x": Range("continuous", ("0", "1"))}

    def first(learnt: bool) -> float:
        search = Search("Bayesian", space, False, 4, seed=11)
        for step in range(40 if learnt else 0):
            x = step / 40
            assert search.learn({"x": str(x), "objective": "reg:squarederror"}, (x - 0.9) ** 2)
        return abs(float(search.ask().hyperparameters["x"]) - 0.9)

    assert first(learnt=True) < 0.2 < first(learnt=False)


@pytest.mark.parametrize(
    "earlier", [{}, {"x": "7"}, {"x": "many"}, {"y": "0.5"}], ids=["nothing", "outside", "no number", "another"]
)
def test_what_lies_outside_of_the_ranges_is_not_learnt(earlier: Hyperparameters) -> None:
    assert not Search("Bayesian", {"x": Range("continuous", ("0", "1"))}, True, 4).learn(earlier, 1.0)


def test_hyperband_gives_up_trials_that_are_worse_and_ends_all_at_the_most() -> None:
    search = Search("Hyperband", {"eta": ETA}, True, 40, seed=2, resources=(1, 9))
    steps = []
    for number in range(40):
        trial = search.ask()
        quality = number % 10
        steps.append((quality, next(step for step in range(1, 20) if search.report(trial, [quality] * step))))
        search.tell(trial, float(quality))
    assert max(step for _, step in steps) == 9
    worst = statistics.fmean(step for quality, step in steps if quality < 5)
    best = statistics.fmean(step for quality, step in steps if quality >= 5)
    assert worst < best


def test_only_hyperband_gives_up_trials() -> None:
    search = Search("Random", {"eta": ETA}, True, 2, seed=2)
    assert not search.report(search.ask(), [0.0] * 100)
    assert not Search("Grid", {"booster": BOOSTER}, True, 2).report(Trial(1, {}), [0.0])
