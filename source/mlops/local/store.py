# SPDX-License-Identifier: Apache-2.0
"""Where our services keep their records: tables per account and region, written to disk with `--data`.

A table is a dictionary of live records. Code that changes more than one field of a record, and must not be
seen half-way, holds `table.lock`.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable, ItemsView, Iterator, MutableMapping, ValuesView
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops.local import bridge

Record = dict[str, Any]
Scope = tuple[str, str]


class Table(MutableMapping[str, Record]):
    """The records of one kind in the account and region of whoever is asking."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._scopes: dict[Scope, dict[str, Record]] = {}

    def _records(self) -> dict[str, Record]:
        with self.lock:
            return self._scopes.setdefault(bridge.current_scope(), {})

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

    def _dump(self) -> str:
        tables = {
            name: [[*scope, records] for scope, records in list(table._scopes.items())]
            for name, table in self._tables.items()
        }
        return json.dumps(tables, default=_encode)

    def _load(self, text: str) -> None:
        scopes: set[Scope] = set()
        for name, entries in json.loads(text, object_hook=_decode).items():
            table = self.table(name)
            for account_id, region, records in entries:
                table._scopes[account_id, region] = records
                scopes.add((account_id, region))
        for account_id, region in sorted(scopes):
            with bridge.scope(account_id, region):
                for hook in self._hooks:
                    hook()


class Disk:
    """Writes every store to a directory, and reads it again at the next start."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._written: dict[str, str] = {}

    def load(self) -> None:
        for service, store in Store.all.items():
            file = self.directory / f"{service}.json"
            if file.exists():
                store._load(file.read_text())

    def save(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        for service, store in Store.all.items():
            text = _steady(store._dump)
            if text != self._written.get(service):
                part = self.directory / f"{service}.json.part"
                part.write_text(text)
                os.replace(part, self.directory / f"{service}.json")
                self._written[service] = text


def _steady(dump: Callable[[], str], attempts: int = 100) -> str:
    """A dump during which no record grew: another thread may write while we read."""
    for _ in range(attempts - 1):
        try:
            return dump()
        except RuntimeError:  # "dictionary changed size during iteration"
            continue
    return dump()


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"a record holds {value!r}, which cannot be written")


def _decode(value: dict[str, Any]) -> Any:
    if value.keys() == {"$datetime"}:
        return datetime.fromisoformat(value["$datetime"])
    if value.keys() == {"$bytes"}:
        return base64.b64decode(value["$bytes"])
    return value
