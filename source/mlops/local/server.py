# SPDX-License-Identifier: Apache-2.0
"""The account on your laptop as a process: ministack and our services behind one port of 127.0.0.1.

    python -m mlops.local --port 4566 --data DIR

prints one line of JSON once it answers, and serves until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.local import directory, doorkeeper, environment
from mlops.local.settings import ACCOUNT_ID, REGION, SECRET_ACCESS_KEY, TIMING

if TYPE_CHECKING:
    from mlops.local.store import Disk

# each registers its operations, resource types and tasks while it is imported
SERVICES = ("mlops.local.machines", "mlops.local.codepipeline", "mlops.local.sagemaker")

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m mlops.local",
                                     description="An AWS account on your laptop.")
    parser.add_argument("--port", type=int, default=4566, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--data", type=Path, help="keep the account's state in this directory")
    options = parser.parse_args(arguments)
    with ExitStack() as cleanup:
        try:
            listener = cleanup.enter_context(socket.create_server(("127.0.0.1", options.port), backlog=256))
        except OSError as error:
            print(f"mlops.local: cannot listen on port {options.port}: {error.strerror}", file=sys.stderr)
            return 1
        try:
            state = cleanup.enter_context(directory.claimed(options.data) if options.data else directory.passing())
        except directory.Unusable as error:
            print(f"mlops.local: {error}", file=sys.stderr)
            return 1
        serve(listener, state, persist=options.data is not None)
    return 0


def serve(listener: socket.socket, state: Path, persist: bool) -> None:
    """Serve on a bound socket until a signal comes."""
    _own_temporary_files(state / "tmp")
    environment.prepare(listener.getsockname()[1], state, persist)
    # ministack reads the environment while it is imported, so it is imported only now
    from mlops.local import account

    logging.getLogger("mlops").addHandler(logging.StreamHandler(sys.stderr))
    for module in SERVICES:
        importlib.import_module(module)
    account.assemble(state)
    asyncio.run(_serve(listener, account.disk(state) if persist else None))


def _own_temporary_files(place: Path) -> None:
    """Keep this process's temporary files in one place, where a killed one's are found and removed."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    tempfile.tempdir = str(place)


async def _serve(listener: socket.socket, disk: Disk | None) -> None:
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    from mlops.local import account, bridge, connections

    connections.install()
    started, ended = asyncio.Event(), asyncio.Event()

    def end() -> None:
        if disk and started.is_set() and not ended.is_set():
            # what runs now fails against the closing port; it comes back as what was cut off, not with that
            logging.disable()
            account.save_last(disk)
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    config = Config()
    port = listener.getsockname()[1]
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel, config.errorlog, config.accesslog = "CRITICAL", None, None
    config.graceful_timeout, config.keep_alive_timeout = 0.2, 75
    application: Any = _prepared(bridge.application, started, disk)
    server = asyncio.create_task(hypercorn_serve(application, config, shutdown_trigger=ended.wait))
    await asyncio.wait([server, asyncio.create_task(started.wait())], return_when=asyncio.FIRST_COMPLETED)
    if started.is_set():
        _announce(port)
    saver = asyncio.create_task(_save_often(disk, ended)) if disk else None
    await server
    end()
    if saver:
        saver.cancel()


async def _save_often(disk: Disk, ended: asyncio.Event) -> None:
    from mlops.local import account

    while not ended.is_set():
        account.save(disk)
        await asyncio.sleep(TIMING.save)


def _prepared(application: Application, started: asyncio.Event, disk: Disk | None) -> Application:
    """The application, which reads `disk` before its first request and sets `started`."""
    from mlops.local import account

    async def prepared(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async def watched(message: dict[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                if disk:
                    account.restore(disk)
                started.set()
            await send(message)

        if scope["type"] == "http":
            if refused := doorkeeper.refusal(scope):
                status, body = refused
                headers = [(b"content-type", b"application/xml"), (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
                return
            # What never leaves this machine counts as TLS, or bucket policies that ask for aws:SecureTransport
            # would refuse everybody.
            scope = {**scope, "scheme": "https"}
        await application(scope, receive, watched if scope["type"] == "lifespan" else send)

    return prepared


def _announce(port: int) -> None:
    print(json.dumps({
        "aws_endpoint_url": f"http://127.0.0.1:{port}", "region": REGION, "account_id": ACCOUNT_ID,
        "access_key_id": ACCOUNT_ID, "secret_access_key": SECRET_ACCESS_KEY,
    }), flush=True)
