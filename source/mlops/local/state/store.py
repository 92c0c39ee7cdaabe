# SPDX-License-Identifier: Apache-2.0
"""Where our services keep their records: tables per account and region, written to disk with `--data`.

A table is a dictionary of live records. Code that changes more than one field of a record, and must not be
seen half-way, holds `table.lock`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, ItemsView, Iterator, MutableMapping, ValuesView
from itertools import count
from pathlib import Path
from typing import Any

from mlops.local import activity
from mlops.local.ministack import cloudformation, context, s3, state
from mlops.local.state.journal import Journal, Key, freeze, thaw

Record = dict[str, Any]
Scope = tuple[str, str]

_OURS, _THEIRS = "ours", "ministack's"
_ATTEMPTS = 20  # to look at all records while none is made or deleted


class Table(MutableMapping[str, Record]):
    """The records of one kind in the account and region of whoever is asking."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._scopes: dict[Scope, dict[str, Record]] = {}

    def _records(self) -> dict[str, Record]:
        with self.lock:
            return self._scopes.setdefault(context.current_scope(), {})

    def __getitem__(self, key: str) -> Record:
        return self._records()[key]

    def __setitem__(self, key: str, record: Record) -> None:
        with self.lock:
            self._records()[key] = record

    def __delitem__(self, key: str) -> None:
        with self.lock:
            del self._records()[key]

    def __iter__(self) -> Iterator[str]:
        with self.lock:
            return iter(list(self._records()))

    def __len__(self) -> int:
        return len(self._records())

    # of a copy, so that a record deleted meanwhile doesn't end somebody's loop

    def values(self) -> ValuesView[Record]:
        with self.lock:
            return dict(self._records()).values()

    def items(self) -> ItemsView[str, Record]:
        with self.lock:
            return dict(self._records()).items()


class Store:
    """The tables of one service."""

    all: dict[str, Store] = {}  # noqa: RUF012  every store there is, for saving and loading

    def __new__(cls, service: str) -> Store:
        if service not in cls.all:
            store = super().__new__(cls)
            store.service, store._tables, store._hooks = service, {}, []
            cls.all[service] = store
        return cls.all[service]

    service: str
    _tables: dict[str, Table]
    _hooks: list[Callable[[], None]]

    def table(self, name: str) -> Table:
        return self._tables.setdefault(name, Table())

    def on_load(self, hook: Callable[[], None]) -> Callable[[], None]:
        """Call `hook` in each account and region after a restart, to fail what was running."""
        self._hooks.append(hook)
        return hook

    def records(self) -> Iterator[tuple[Key, Record]]:
        """Every record of every account and region, under a key of its own."""
        for name, table in list(self._tables.items()):
            for scope, records in list(table._scopes.items()):
                # a copy is of one moment; a list of the items is not, since it allocates them one by one
                for key, record in records.copy().items():
                    yield (_OURS, self.service, name, *scope, key), record

    def _put(self, name: str, scope: Scope, key: str, record: Record) -> None:
        self.table(name)._scopes.setdefault(scope, {})[key] = record

    def _loaded(self, scopes: set[Scope]) -> None:
        for account_id, region in sorted(scopes):
            with context.scope(account_id, region):
                for hook in self._hooks:
                    hook()


class Disk:
    """Everything that outlives the process, in one journal: our records, and those of ministack's services."""

    def __init__(self, directory: Path) -> None:
        """Unreadable if the directory holds a journal that this version cannot read."""
        self._journal = Journal(directory / "account.journal")
        self._read = [(key, thaw(blob)) for key, blob in self._journal.read().items()]
        self._progress: int | None = None  # of the stacks, when they were looked at
        self._stacks: dict[Key, bytes] = {}  # as they were then: many, large, and rarely at work

    def load(self) -> None:
        """Fill every store with what was last written; once."""
        theirs: list[tuple[Key, Any]] = []
        scopes: dict[str, set[Scope]] = {}
        read, self._read = self._read, []
        for key, record in read:
            if key[0] != _OURS:
                theirs.append((key[1:], record))
                continue
            _, service, name, account_id, region, record_key = key
            Store(service)._put(name, (account_id, region), record_key, record)
            scopes.setdefault(service, set()).add((account_id, region))
        state.load_state(theirs)
        for service, store in Store.all.items():
            store._loaded(scopes.get(service, set()))

    def save(self) -> bool:
        """Write what changed since the last time; whether anything did. OSError: it could not be written."""
        s3.keep_objects()
        return self._journal.write(self._frozen())

    def _frozen(self) -> dict[Key, bytes]:
        """All records of one moment: nothing was made or deleted while they were looked at."""
        progress = activity.progress(cloudformation.STACKS)
        resting = self._stacks if progress is not None and progress == self._progress else {}
        but = {cloudformation.STACKS} if resting else set()
        for attempt in count(1):
            keys, records = self._records(but)
            try:
                with state.stacks_at_rest():
                    blobs = list(map(freeze, records))
            except RuntimeError:  # "dictionary changed size during iteration"
                if attempt >= _ATTEMPTS:
                    raise
                continue
            copied = state.copied()  # of one moment as it is
            live = [key for key in keys if key[0] == _OURS or key[1] not in copied]
            if attempt >= _ATTEMPTS or live == self._records(but | copied)[0]:
                break
        frozen = dict(zip(keys, blobs, strict=True))
        self._stacks = resting or {
            key: blob for key, blob in frozen.items() if key[:2] == (_THEIRS, cloudformation.STACKS)
        }
        self._progress = progress
        return {**frozen, **resting}

    def _records(self, but: set[str]) -> tuple[list[Key], list[Any]]:
        found = [entry for store in list(Store.all.values()) for entry in store.records()]
        found += [((_THEIRS, *key), record) for key, record in state.state(but)]
        return [key for key, _ in found], [record for _, record in found]
