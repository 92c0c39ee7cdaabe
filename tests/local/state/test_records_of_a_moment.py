# SPDX-License-Identifier: Apache-2.0
"""Records that are made while all are looked at for saving end nobody's loop: the account goes on being written."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from mlops.local.ministack import state
from mlops.local.state.store import Store

MANY = 5_000
NEW = count()


@contextmanager
def growing(records: dict[Any, Any]) -> Iterator[None]:
    """Makes a record whenever memory is collected, as another thread may do then."""

    def make(phase: str, info: dict[str, int]) -> None:
        records[("us-east-1", f"new {next(NEW)}")] = {}

    before = gc.get_threshold()
    gc.callbacks.append(make)
    gc.set_threshold(10)
    try:
        yield
    finally:
        gc.callbacks.remove(make)
        gc.set_threshold(*before)


def test_records_of_our_services() -> None:
    store = Store("test of a moment")
    try:
        records = store.table("things")._scopes.setdefault(("123456789012", "us-east-1"), {})
        records.update({f"{number}": {} for number in range(MANY)})
        with growing(records):
            assert sum(1 for _ in store.records()) >= MANY
    finally:
        del Store.all["test of a moment"]


def test_records_of_ministacks_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state._logs, "copy", state._copies)  # as `state.keep_state` does
    groups = state._logs._log_groups._data
    try:
        groups.update({("123456789012", "us-east-1", f"{number}"): {} for number in range(MANY)})
        with growing(groups):
            assert sum(1 for _ in state.state(set())) >= MANY
    finally:
        groups.clear()
