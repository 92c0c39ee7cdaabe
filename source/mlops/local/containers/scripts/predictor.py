# SPDX-License-Identifier: Apache-2.0
"""The account's side of a model whose script answers in a process of its own.

Requests go to the process one after another. One that ends by itself, or does not answer in time (60 seconds for an
endpoint), is started again for the next request. Frames on the connection: a JSON object, then the body.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

from mlops.local.containers.base import InferenceError, Model, ModelLoadError, Prediction, Program
from mlops.local.containers.scripts.child import last_error

_START_SECONDS = 480.0  # what SageMaker gives a container to respond to its first ping
_END_SECONDS = 5.0
_KEPT_LINES = 50
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for "
    "each container in Amazon CloudWatch, resolve the issue, and try again."
)


class ScriptPredictor:
    """Starts the process and waits until its model is loaded; raises ModelLoadError."""

    def __init__(self, program: Program, model: Model) -> None:
        self._program, self._model = program, model
        self._turn = threading.Lock()
        self._worker: _Worker | None = _Worker(program, model)

    def invoke(self, body: bytes, content_type: str, accept: str) -> Prediction:
        until = time.monotonic() + self._model.answer_seconds
        if not self._turn.acquire(timeout=self._model.answer_seconds):
            raise InferenceError(0, _TIMED_OUT)
        try:
            if self._worker is None:
                self._worker = self._restarted()
                until = time.monotonic() + self._model.answer_seconds
            said, answer = self._worker.ask(
                {"content_type": content_type, "accept": accept}, body, until - time.monotonic()
            )
        except _Ended as ended:
            self._worker = None
            raise InferenceError(*ended.answer) from ended
        finally:
            self._turn.release()
        if said["status"] != 200:
            raise InferenceError(said["status"], answer.decode("utf-8", "replace"))
        return Prediction(answer, said["content_type"])

    def _restarted(self) -> _Worker:
        try:
            return _Worker(self._program, self._model)
        except ModelLoadError as error:
            raise InferenceError(500, str(error)) from error

    def close(self) -> None:
        if self._worker is not None:
            self._worker.end()


class _Ended(Exception):
    """The process answers no more."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = status, message


class _Worker:
    """One process that has loaded the model."""

    def __init__(self, program: Program, model: Model) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*program.command, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=program.environment,
                cwd=model.folder.parent,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._connection = Connection(ours.detach())
        self._ending = threading.Lock()
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._reader = threading.Thread(target=self._read, args=(model,), daemon=True, name="script-log")
        self._reader.start()
        try:
            said, _ = self._receive(_START_SECONDS)
        except _Ended as ended:
            raise ModelLoadError(str(ended)) from ended
        if "error" in said:
            self.end()
            raise ModelLoadError(said["error"])

    def ask(self, request: dict[str, Any], body: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        """One request and its answer; raises _Ended if there is none in time."""
        try:
            self._connection.send_bytes(json.dumps(request).encode())
            self._connection.send_bytes(body)
        except OSError:
            raise self._ended() from None
        return self._receive(seconds)

    def _receive(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        late = threading.Event()

        def stop_waiting() -> None:
            late.set()
            self._kill()

        timer = threading.Timer(max(seconds, 0), stop_waiting)
        timer.daemon = True
        timer.start()
        try:
            said: dict[str, Any] = json.loads(self._connection.recv_bytes())
            return said, self._connection.recv_bytes()
        except (EOFError, OSError):
            ended = self._ended()
            raise _Ended(0, _TIMED_OUT) if late.is_set() else ended from None
        finally:
            timer.cancel()

    def _ended(self) -> _Ended:
        self.end()
        said = last_error(list(self._lines))
        return _Ended(
            500, f"the script's process ended with code {self._process.returncode}" + (f": {said}" if said else "")
        )

    def end(self) -> None:
        """End the process: its input closes, and it is killed if that does not do. Who waits for an answer gets none.

        May be called more than once, and from several threads.
        """
        assert self._process.stdin is not None
        with self._ending:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._kill()
                self._process.wait()
            self._kill()
            self._connection.close()  # last: another thread may read from it, which finds its end now
            self._reader.join(_END_SECONDS)

    def _kill(self) -> None:
        """The process, and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self, model: Model) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                self._lines.append(text)
                if text.strip():
                    model.log(text)
