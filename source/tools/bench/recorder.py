# SPDX-License-Identifier: Apache-2.0
"""Counts AWS calls where nothing can hide them: on the wire, between a function and the account."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tools.bench import wire

_READS = ("Describe", "Get", "Head", "List")


@dataclass
class Recorder:
    """What went by."""

    address: str = ""
    calls: list[str] = field(default_factory=list)

    def taken(self) -> list[str]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


@contextmanager
def recording(account: str) -> Iterator[Recorder]:
    """Pass requests on to the account at an address, and record them."""
    recorder = Recorder()

    class Passing(wire.Exchange):
        def do_POST(self) -> None:
            body = self.body()
            recorder.calls.append(operation(self.command, self.headers.get("X-Amz-Target"), body, self.path))
            self.answer(*forward(self, account, body))

        do_GET = do_HEAD = do_PUT = do_DELETE = do_POST

    with wire.serving(Passing) as address:
        recorder.address = address
        yield recorder


_OUR_OWN = ("content-length", "transfer-encoding", "connection", "date")


def forward(exchange: wire.Exchange, account: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
    """The account's answer to a request as it came: status, body and headers."""
    connection = http.client.HTTPConnection(account, timeout=30)
    path = exchange.path.removeprefix(f"http://{account}")  # as it is written to a proxy
    connection.putrequest(exchange.command, path, skip_host=True, skip_accept_encoding=True)
    for name, value in exchange.headers.items():  # Host too: it is part of what is signed
        if name.lower() != "expect":
            connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    headers = {name: value for name, value in answer.getheaders() if name.lower() not in _OUR_OWN}
    found = answer.status, answer.read(), headers
    connection.close()
    return found


def is_write(call: str) -> bool:
    return not call.startswith(_READS)


_ASKED = {"/2015-03-31/functions/": "GetFunctionConfiguration", "/restapis/": "GetRestApi"}  # all we ask of them


def operation(method: str, target: str | None, body: bytes, path: str = "") -> str:
    """The operation's name; S3's by its method and query, for that is all we ask of it."""
    for begin, call in _ASKED.items():
        if urlsplit(path).path.startswith(begin):
            return call
    if target:
        return target.split(".")[-1]
    if method == "POST":
        return parse_qs(body.decode())["Action"][0]
    if "list-type=2" in path:
        return "ListObjectsV2"
    return f"{method.capitalize()}Object{'Version' if 'versionId=' in path else ''}"
