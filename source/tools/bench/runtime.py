# SPDX-License-Identifier: Apache-2.0
"""Lambda's runtime API on this machine: runs a packaged function under awslambdaric, in a fresh process.

The process sees Lambda's packages, the function's own zip, Lambda's environment variables, and nothing else of this
machine. It asks for events and posts its answers as it would on Lambda
(https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import time
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops.local.functions import interpreter

from tools.bench import wire

REGION = "us-east-1"
_CLIENT = ("awslambdaric", "simplejson", "runtime_client")
_PATIENCE = 30  # seconds


class FunctionFailed(Exception):
    """A function that did not start, or that raised."""


@dataclass(frozen=True)
class Package:
    """An unzipped function, and the Python it runs in."""

    root: Path
    python: Path

    @classmethod
    def unzipped(cls, zipped: Path, folder: Path) -> Package:
        """Unzip a function into a folder, and make it a Python there."""
        with zipfile.ZipFile(zipped) as archive:
            archive.extractall(folder / "task")
        packages = (*interpreter.RUNTIME_PACKAGES, *_CLIENT)
        return cls(folder / "task", interpreter.make(folder / "python", packages))


class Function:
    """A running function. Use it in a `with`, which ends it."""

    def __init__(
        self, package: Package, handler: str, environment: Mapping[str, str], beside: Sequence[Path] = ()
    ) -> None:
        """Start it. What lies in the folders `beside` can be imported too: handlers that wrap the package's."""
        self._events: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._heard: queue.SimpleQueue[tuple[float, str, bytes]] = queue.SimpleQueue()
        with ExitStack() as cleanup:
            address = cleanup.enter_context(wire.serving(self._endpoint()))
            own = {
                "AWS_LAMBDA_RUNTIME_API": address,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                "LANG": "en_US.UTF-8",
                "TZ": ":UTC",
                "PATH": os.defpath,
                "PYTHONPATH": os.pathsep.join(map(str, beside)),
                "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's file system is read-only
            }
            self._started = time.perf_counter()
            self._process = subprocess.Popen(
                [package.python, "-m", "awslambdaric", handler],
                cwd=package.root,
                env={**environment, **own},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            cleanup.callback(self._end)
            self._cleanup = cleanup.pop_all()

    def __enter__(self) -> Function:
        return self

    def __exit__(self, *raised: object) -> None:
        self._cleanup.close()

    def ready(self) -> float:
        """Wait until it asks for its first event; when that was, in seconds from its start."""
        return self._hear("next")[0]

    def invoke(self, event: Any) -> Any:
        """What the handler answers."""
        return self.timed(event)[1]

    def timed(self, event: Any) -> tuple[float, Any]:
        """When the handler had answered, in seconds from its start, and what."""
        self._events.put(json.dumps(event).encode())
        at, body = self._hear("response")
        return at, json.loads(body)

    def _hear(self, wanted: str) -> tuple[float, bytes]:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                at, kind, body = self._heard.get(timeout=0.1)
            except queue.Empty:
                if self._process.poll() is not None:
                    break
                continue
            if kind == wanted:
                return at - self._started, body
            if kind == "error":
                raise FunctionFailed(body.decode())
        self._process.kill()
        _, words = self._process.communicate()
        raise FunctionFailed(words.decode() or "it did not answer in time")

    def _end(self) -> None:
        """As Lambda does it: without asking."""
        self._process.kill()
        self._process.communicate()
        self._events.put(None)

    def _endpoint(self) -> type[wire.Exchange]:
        events, heard = self._events, self._heard

        class Endpoint(wire.Exchange):
            """invocation/next, invocation/<id>/response, invocation/<id>/error and init/error."""

            def do_GET(self) -> None:
                heard.put((time.perf_counter(), "next", b""))
                event = events.get()
                if event is None:
                    self.close_connection = True
                    return
                headers = {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + _PATIENCE) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:{REGION}:123456789012:function:bench",
                }
                self.answer(200, event, headers)

            def do_POST(self) -> None:
                body = self.body()
                heard.put((time.perf_counter(), self.path.rsplit("/", 1)[-1], body))
                self.answer(202, b"{}", {"Content-Type": "application/json"})

        return Endpoint
