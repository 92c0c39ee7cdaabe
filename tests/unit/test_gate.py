# SPDX-License-Identifier: Apache-2.0
"""How many functions run at once, and who waits for whom."""

import threading
import time
from collections.abc import Callable

import pytest
from mlops.local.functions import gate

GIB = 1 << 30


@pytest.mark.parametrize(
    ("cores", "memory", "limit", "most"),
    [
        (2, GIB, 4, 8),
        (2, 24 * GIB, 4, 16),
        (1, 24 * GIB, 4, 16),
        (16, 64 * GIB, 32, 128),
        (16, 2 * GIB, 8, 16),
        (2, GIB // 4, 2, 4),
    ],
)
def test_a_machine_runs_what_it_holds(cores: int, memory: int, limit: int, most: int) -> None:
    assert gate.size(cores, memory) == gate.Size(limit, most)


def test_this_machine_has_a_size() -> None:
    found = gate.size(gate.cores(), gate.memory())
    assert 2 <= found.limit < found.most


def entering(one: gate.Gate, number: int, during: Callable[[], None]) -> list[threading.Thread]:
    def enter() -> None:
        assert one.enter(nested=False)
        during()
        one.leave()

    threads = [threading.Thread(target=enter, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads


def test_no_more_are_inside_than_the_limit_and_all_come_in() -> None:
    one, lock, inside, peak = gate.Gate(3, 5, stall=60), threading.Lock(), 0, 0

    def work() -> None:
        nonlocal inside, peak
        with lock:
            inside += 1
            peak = max(peak, inside)
        time.sleep(0.01)
        with lock:
            inside -= 1

    for thread in entering(one, 30, work):
        thread.join(30)
        assert not thread.is_alive()
    assert (inside, peak) == (0, 3)


def test_what_a_function_invokes_does_not_wait_until_the_machine_is_full() -> None:
    one = gate.Gate(1, 2, stall=60)
    assert one.enter(nested=False)
    assert one.enter(nested=True)
    assert not one.enter(nested=True)
    one.leave()
    assert one.enter(nested=True)


def test_one_more_comes_in_where_all_wait_for_it() -> None:
    one, last = gate.Gate(2, 3, stall=0.1), threading.Event()
    waiting = entering(one, 2, lambda: last.wait(30) and None)
    awaited = entering(one, 1, last.set)
    for thread in [*awaited, *waiting]:
        thread.join(30)
        assert not thread.is_alive()


def test_no_more_than_the_most_come_in_however_long_they_wait() -> None:
    one, end = gate.Gate(1, 2, stall=0.01), threading.Event()
    entered: list[int] = []

    def stay() -> None:
        entered.append(1)
        end.wait(30)

    threads = entering(one, 4, stay)
    time.sleep(0.5)
    assert len(entered) == 2
    end.set()
    for thread in threads:
        thread.join(30)
    assert len(entered) == 4
