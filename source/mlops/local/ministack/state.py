# SPDX-License-Identifier: Apache-2.0
"""The records of all services: read while others write, and filled again."""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from typing import Any

import ministack.app as _app
from ministack.core import responses as _responses
from ministack.services import cloudformation as _cloudformation
from ministack.services import cloudwatch_logs as _logs
from ministack.services import iam as _iam
from ministack.services import lambda_svc as _lambda
from ministack.services import stepfunctions as _stepfunctions

from mlops.local.ministack import cloudformation, s3

# services whose get_state copies each of its stores and does nothing else; they are large, so we do without the copy
_COPYING = {
    cloudformation.STACKS: _cloudformation,
    "stepfunctions": _stepfunctions,
    "cloudwatch_logs": _logs,
    "iam": _iam,
}
_STORES = {"account": _responses.AccountScopedDict, "region": _responses.AccountRegionScopedDict}
_at_rest = threading.RLock()


class _Copies:
    """`copy` as ministack's services see it: a thread that only looks gets what there is."""

    def __init__(self) -> None:
        self.looking = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(copy, name)

    def deepcopy(self, value: Any, *rest: Any) -> Any:
        return value if getattr(self.looking, "now", False) else copy.deepcopy(value, *rest)


_copies = _Copies()


def keep_state() -> None:
    """Once, before the first request: from now on `state` can be asked, and failed writes are noticed."""
    for module in _COPYING.values():
        module.copy = _copies
    _lambda._write_code_blob = functools.lru_cache(maxsize=256)(_lambda._write_code_blob)
    # a file that only the last state on disk still names must stay until that is replaced
    _lambda._prune_orphan_code_blobs = lambda referenced: None
    s3.log_failed_writes()


def state(but: Set[str]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every record of ministack's services except those in `but`, under a key of its own."""
    for service, get_state in _app._build_persistence_save_dict().items():
        if service in but:
            continue
        _copies.looking.now = service in _COPYING
        try:
            stores = _steady(get_state)
        finally:
            _copies.looking.now = False
        for name, store in (stores or {}).items():
            kind = next((kind for kind, scoped in _STORES.items() if type(store) is scoped), None)
            for key, record in store._data.copy().items() if kind else [((), store)]:
                yield (service, name, kind or "whole", key), record


def copied() -> set[str]:
    """The services whose records `state` gives as copies."""
    return set(_app._build_persistence_save_dict()) - _COPYING.keys()


def _steady(get_state: Callable[[], Any], attempts: int = 100) -> Any:
    """A state that did not grow while it was copied: another thread may write meanwhile."""
    for _ in range(attempts - 1):
        try:
            return get_state()
        except RuntimeError:  # "dictionary changed size during iteration"
            continue
    return get_state()


def load_state(entries: Iterable[tuple[tuple[Any, ...], Any]]) -> None:
    """Fill ministack's services with what `state` gave."""
    states: dict[str, dict[str, Any]] = {}
    for (service, name, kind, key), record in entries:
        stores = states.setdefault(service, {})
        if kind == "whole":
            stores[name] = record
        else:
            stores.setdefault(name, _STORES[kind]())._data[key] = record
    for service, stores in states.items():
        _app._get_module(_app._state_map[service]).load_persisted_state(stores)


@contextmanager
def stacks_at_rest() -> Iterator[None]:
    """While no resource of ministack's own types is made that its stack does not hold yet."""
    with _at_rest:
        yield
