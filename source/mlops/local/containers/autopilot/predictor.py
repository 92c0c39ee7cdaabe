# SPDX-License-Identifier: Apache-2.0
"""A model that answers in a process of its own (`serve`), seen from the process that asks it.

What a model's file makes Python do, it does there, and not in the account.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from mlops.local.containers.base import InferenceError, Model, ModelLoadError, Prediction

_OF_PROCESS = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "SYSTEMROOT")
_ENDING = 5.0  # seconds


class ProcessPredictor:
    """Asks one question at a time; a process that has ended answers with 500."""

    def __init__(self, model: Model) -> None:
        own = {name: os.environ[name] for name in _OF_PROCESS if name in os.environ}
        inference = {name: value for name, value in model.environment.items() if name.startswith("SAGEMAKER_")}
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlops.local.containers.autopilot.serve", str(model.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**own, **inference},
        )
        threading.Thread(target=self._log, args=(model.log,), daemon=True).start()
        try:
            answer, _ = self._read()
        except _Ended as error:
            self.close()
            raise ModelLoadError("loading it ends the process") from error
        if "problem" in answer:
            self.close()
            raise ModelLoadError(f"the artifact {answer['problem']}")

    def invoke(self, body: bytes, content_type: str, accept: str) -> Prediction:
        """Answer one request; raises InferenceError."""
        request = {"content_type": content_type, "accept": accept, "size": len(body)}
        with self._lock:
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps(request).encode() + b"\n" + body)
                self._process.stdin.flush()
                answer, content = self._read()
            except (_Ended, OSError) as error:
                raise InferenceError(500, "The process that serves the model has ended.") from error
        if answer["status"] != 200:
            raise InferenceError(answer["status"], content.decode())
        return Prediction(content, answer["content_type"])

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING)
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):  # what was written and never read
                stream.close()

    def _read(self) -> tuple[Mapping[str, Any], bytes]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise _Ended
        answer: dict[str, Any] = json.loads(line)
        content = self._process.stdout.read(answer["size"]) if answer["size"] else b""
        if len(content) < answer["size"]:
            raise _Ended
        return answer, content

    def _log(self, log: Any) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                log(line.decode(errors="replace").rstrip("\n"))


class _Ended(Exception):
    """The process has ended."""
