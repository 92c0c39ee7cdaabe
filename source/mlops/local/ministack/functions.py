# SPDX-License-Identifier: Apache-2.0
"""The processes that functions run in: not more than the machine holds, and none that has long been idle.

ministack starts a process for every invocation that finds none free, keeps the first one of each function for ever, and
the others for five minutes.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import ministack.services.lambda_svc as _lambda
from ministack.core import lambda_runtime as _lambda_runtime

from mlops.local.functions.gate import Gate, Size

_SPARE_SECONDS = 10.0  # a function's second process and all further ones
_LAST_SECONDS = 300.0
_LOOK_SECONDS = 2.0
# ministack serves Lambda's runtime API for them on a port of its own, to whoever asks
_OPEN_TO_OTHERS = {
    "error": True,
    "log": "",
    "body": {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": "The laptop account does not support OS-only runtimes: all users of this machine could call "
        "their runtime API.",
    },
}
_RUN_HERE = ("python", "nodejs")
_NOT_RUN_HERE = {
    "error": True,
    "log": "",
    "body": {
        "errorType": "Runtime.InvalidRuntime",
        "errorMessage": "The laptop account supports only functions in Python and Node.js.",
    },
}


def bound(size: Size) -> None:
    """Let invocations wait for their turn, and end processes that are idle or too many."""
    dispatch, acquire, release = _lambda._execute_function_dispatch, _lambda.acquire_worker, _lambda.release_worker
    gate = Gate(size.limit, size.most)
    used = threading.Event()

    def in_turn(func: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
        if config.get("Runtime", "").startswith("provided"):
            return _OPEN_TO_OTHERS
        if not config.get("Runtime", "python").startswith(_RUN_HERE):
            return _NOT_RUN_HERE  # ministack answers with a made-up success
        if not gate.enter(nested=_lambda._invoke_depth.get() > 1):
            return _lambda._throttle_response(
                "ConcurrentInvocationLimitExceeded",
                f"Rate Exceeded: this machine runs at most {size.most} functions at once, one of which invokes another",
            )
        try:
            return dispatch(func, config, event, request_id, time.time())
        finally:
            gate.leave()

    def acquired(*function: Any, **more: Any) -> Any:
        worker, how = acquire(*function, **more)
        if how == "spawn":
            _end(_over(size.most))
        return worker, how

    def released(worker: Any) -> None:
        if worker is not None:
            worker.idle_since = time.monotonic()
            used.set()
        release(worker)

    def end_the_idle() -> None:
        while used.wait():
            time.sleep(_LOOK_SECONDS)
            _end(_long_idle())
            if not _lambda_runtime._workers:
                used.clear()

    _lambda._execute_function_dispatch = in_turn
    _lambda.acquire_worker, _lambda.release_worker = acquired, released
    _lambda.reap_idle_workers = lambda ttl=None: 0
    threading.Thread(target=end_the_idle, daemon=True, name="idle-functions").start()


def _idle_since(worker: Any) -> float:
    since: float = getattr(worker, "idle_since", time.monotonic())
    return since


def _over(most: int) -> list[Any]:
    """The longest idle processes above `most`, taken out of their pools."""
    with _lambda_runtime._lock:
        workers = [worker for pool in _lambda_runtime._workers.values() for worker in pool]
        idle = sorted((worker for worker in workers if not worker.in_use), key=_idle_since)
        return _taken_out(idle[: max(0, len(workers) - most)])


def _long_idle() -> list[Any]:
    """The processes that nobody has used for a while, taken out of their pools."""
    now = time.monotonic()
    with _lambda_runtime._lock:
        ended = []
        for pool in _lambda_runtime._workers.values():
            for position, worker in enumerate(pool):
                patience = _SPARE_SECONDS if position else _LAST_SECONDS
                if not worker.in_use and now - _idle_since(worker) > patience:
                    ended.append(worker)
        return _taken_out(ended)


def _taken_out(workers: list[Any]) -> list[Any]:
    for key, pool in list(_lambda_runtime._workers.items()):
        pool[:] = [worker for worker in pool if worker not in workers]
        if not pool:
            del _lambda_runtime._workers[key]
    return workers


def _end(workers: list[Any]) -> None:
    """Outside the lock: a process may take seconds to end."""
    _lambda_runtime.kill_workers(workers)


class _FunctionProcesses:
    """`subprocess` as ministack's Lambda runtime sees it: its functions start in a clean environment."""

    def __init__(self, kept: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, command: list[str], *, env: Mapping[str, str], **options: Any) -> Any:
        return subprocess.Popen(command, env=self._kept(env), **options)


def isolate_functions(interpreter: str, kept: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
    """Start Python functions with `interpreter`, in what `kept` leaves of the environment ministack made."""
    detect = _lambda_runtime._detect_runtime_binary

    def detect_isolated(runtime: str) -> tuple[str, str]:
        binary, script = detect(runtime)
        return (interpreter if runtime.startswith("python") else binary), script

    _lambda_runtime._detect_runtime_binary = detect_isolated
    _lambda_runtime.subprocess = _FunctionProcesses(kept)
