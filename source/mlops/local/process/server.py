# SPDX-License-Identifier: Apache-2.0
"""The laptop account as a process: ministack and our services behind one port of 127.0.0.1.

    python -m mlops.local --port 4566 --data DIR

prints one line of JSON once it answers, and serves until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import importlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.local import environment
from mlops.local.process import request_filter, running
from mlops.local.process.running import Running
from mlops.local.settings import ACCOUNT_ID, PORT, REGION
from mlops.local.state import directory
from mlops.local.state.journal import Unreadable

if TYPE_CHECKING:
    from mlops.local.state.store import Disk

# each registers its operations, resource types and tasks while it is imported
SERVICES = (
    "mlops.local.stepfunctions.versions",
    "mlops.local.services.codebuild",
    "mlops.local.services.codepipeline",
    "mlops.local.services.sagemaker",
    "mlops.local.services.scheduler",
)

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m mlops.local", description="Start a laptop account, without the orchestrator."
    )
    parser.add_argument("--port", type=int, default=PORT, help="port on 127.0.0.1; 0 for any free port")
    parser.add_argument("--data", type=Path, help="directory for the account's state")
    options = parser.parse_args(arguments)
    with ExitStack() as cleanup:
        try:
            listener = cleanup.enter_context(socket.create_server(("127.0.0.1", options.port), backlog=256))
        except OSError as error:
            print(f"mlops.local: {_not_listening(options.port, error)}", file=sys.stderr)
            return 1
        try:
            state = cleanup.enter_context(directory.claimed(options.data) if options.data else directory.passing())
            secret_key = directory.secret_key(state)
        except directory.Unusable as error:
            print(f"mlops.local: {error}", file=sys.stderr)
            return 1
        return serve(listener, state, options.data, secret_key)


def _not_listening(port: int, error: OSError) -> str:
    hint = "; use --port 0 for a free port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else ""
    return f"cannot listen on port {port}: {error.strerror}{hint}"


def serve(listener: socket.socket, state: Path, data: Path | None, secret_key: str) -> int:
    """Serve on a bound socket until a signal comes, and return the process's exit code.

    `data` is where the state is kept, if it is.
    """
    _own_temporary_files(state / "tmp")
    port = listener.getsockname()[1]
    environment.prepare(port, state, data is not None, secret_key)
    # ministack reads the environment while it is imported, so it is imported only now
    from mlops.local.process import account

    logging.getLogger("mlops").addHandler(logging.StreamHandler(sys.stderr))
    for module in SERVICES:
        importlib.import_module(module)
    account.assemble(state)
    try:
        disk = account.disk(state) if data else None
    except Unreadable as error:
        print(
            f"mlops.local: cannot read the account's state in {data}: {error}; "
            "use another --data directory, or delete it",
            file=sys.stderr,
        )
        return 1
    this = Running(
        os.getpid(),
        port,
        f"http://127.0.0.1:{port}",
        REGION,
        ACCOUNT_ID,
        ACCOUNT_ID,
        secret_key,
        str(data.resolve()) if data else None,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return asyncio.run(_serve(listener, disk, this))


def _own_temporary_files(place: Path) -> None:
    """Keep this process's temporary files in one place, where a killed one's are found and removed."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    tempfile.tempdir = str(place)


async def _serve(listener: socket.socket, disk: Disk | None, this: Running) -> int:
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    from mlops.local import activity
    from mlops.local.ministack import router
    from mlops.local.process import connections
    from mlops.local.state import saving

    connections.install()
    started, ended = asyncio.Event(), asyncio.Event()
    saver = saving.Saver(disk) if disk else None

    async def end() -> None:
        if saver and started.is_set() and not ended.is_set():
            await asyncio.to_thread(activity.finish)
            # what runs now fails against the closing port; it comes back as what was cut off, not with that
            logging.disable()
            saver.save_last()
        ended.set()

    ending: set[asyncio.Task[None]] = set()

    def end_once() -> None:
        if not ending:
            ending.add(asyncio.create_task(end()))

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end_once)
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel, config.errorlog, config.accesslog = "CRITICAL", None, None
    config.graceful_timeout, config.keep_alive_timeout = 0.2, 75
    served = saver.answering(router.application) if saver else router.application
    application: Any = _prepared(served, started, disk, this.port)
    server = asyncio.create_task(hypercorn_serve(application, config, shutdown_trigger=ended.wait))
    await asyncio.wait([server, asyncio.create_task(started.wait())], return_when=asyncio.FIRST_COMPLETED)
    if not started.is_set():
        if error := server.exception():
            print(f"mlops.local: {error}", file=sys.stderr)
        return 1
    with ExitStack() as announcement:
        _announce(this, announcement)
        saves = asyncio.create_task(saver.run()) if saver else None
        if saver:
            saver.changed()  # what was cut off has ended
        await server
        await end()
        if saves:
            saves.cancel()
    return int(saver is not None and saver.failed)


def _prepared(application: Application, started: asyncio.Event, disk: Disk | None, port: int) -> Application:
    """The application behind the request filter, which reads `disk` before its first request and sets `started`."""
    from mlops.local.process import account

    async def prepared(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async def watched(message: dict[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                try:
                    if disk:
                        account.restore(disk)
                except Exception as error:  # whatever it holds: an account is not started on half of its state
                    logging.getLogger(__name__).debug("restoring failed", exc_info=True)
                    message = {
                        "type": "lifespan.startup.failed",
                        "message": f"cannot read the account's state: {type(error).__name__}: {error}",
                    }
                else:
                    started.set()
            await send(message)

        async def let_out(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": request_filter.let_out(message.get("headers", ()))}
            await send(message)

        if scope["type"] == "lifespan":
            await application(scope, receive, watched)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif instead := request_filter.answer(scope, port):
            headers = [
                (b"content-type", instead.content_type.encode()),
                (b"content-length", str(len(instead.body)).encode()),
                *instead.headers,
            ]
            await send({"type": "http.response.start", "status": instead.status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else instead.body})
        else:
            # What never leaves this machine counts as TLS, or bucket policies that ask for aws:SecureTransport
            # would refuse everybody.
            await application({**scope, "scheme": "https"}, receive, let_out)

    return prepared


def _announce(this: Running, announcement: ExitStack) -> None:
    try:
        announcement.enter_context(running.announced(this))
    except running.Unwritable as error:
        print(f"mlops.local: mlops local status cannot show this account: {error}", file=sys.stderr)
    print(
        json.dumps(
            {
                "aws_endpoint_url": this.endpoint,
                "region": this.region,
                "account_id": this.account_id,
                "access_key_id": this.access_key_id,
                "secret_access_key": this.secret_access_key,
            }
        ),
        flush=True,
    )
