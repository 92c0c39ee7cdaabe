# SPDX-License-Identifier: Apache-2.0
"""The process of a model with a script: `python -m mlops.local.containers.scripts.serve TREE TOOLKIT DESCRIPTOR`.

Loads the model with the script's functions and the toolkit's defaults, says so on the connection, and answers what
comes there, one request after another. What the script prints is the log. Ends when its standard input does.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

from mlops.local.containers import process
from mlops.local.containers.base import InferenceError
from mlops.local.containers.scripts import PROGRAM, SUBMIT_DIRECTORY, code, home
from mlops.local.containers.scripts.versions import banner

_JSON, _ANY = "application/json", "*/*"
_TEXTS = frozenset({_JSON, "text/csv"})  # bodies that a script gets as text; all others are bytes


def main(tree: Path, toolkit: str, descriptor: int) -> int:
    place = home.enter(tree)
    os.environ.update(place.environment(os.environ))
    process.end_with_input()
    print(banner(place))
    connection = Connection(descriptor)
    try:
        script = Script(_module(place), toolkit, place.path("model"))
    except Exception as error:  # whatever the user's code raises is told to who waits for it
        traceback.print_exc()
        said = str(error) if isinstance(error, code.CodeError) else _line(error)
        _send(connection, {"error": said + place.note(said)}, b"")
        return 1
    _send(connection, {}, b"")
    while True:
        try:
            request, body = json.loads(connection.recv_bytes()), connection.recv_bytes()
        except EOFError:
            return 0
        _send(connection, *_answer(script, request, body))


def _send(connection: Connection, said: dict[str, Any], body: bytes) -> None:
    connection.send_bytes(json.dumps(said).encode())
    connection.send_bytes(body)


def _line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


def _module(place: home.Home) -> ModuleType:
    """The script, imported from where the container's environment says."""
    program, source = os.environ[PROGRAM], os.environ.get(SUBMIT_DIRECTORY, "").removeprefix("file://")
    folder = Path(source or place.path("code"))
    if source.startswith("s3://") or folder.is_file():
        folder = Path(place.path("code"))
        code.fetch(source, folder)
    if not folder.is_dir():
        raise code.CodeError(
            f"ImportModuleError: the folder of the code, {folder} ({SUBMIT_DIRECTORY}), does not exist"
        )
    code.check_program(program, folder)
    code.check_requirements(folder)
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    return importlib.import_module(program.removesuffix(".py").replace("/", "."))


class Script:
    """The functions that answer: the script's, and the toolkit's defaults for those it hasn't.

    The defaults are imported here: numpy may start threads, and `home.enter` needs a process without any.
    """

    def __init__(self, module: ModuleType, toolkit: str, model_dir: str) -> None:
        defaults = importlib.import_module(f"mlops.local.containers.scripts.{toolkit}_defaults")
        own = {name: getattr(module, name, None) for name in ("input_fn", "predict_fn", "output_fn")}
        self._transform: Callable[..., Any] | None = getattr(module, "transform_fn", None)
        if self._transform and any(own.values()):
            raise ValueError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
        self._input = own["input_fn"] or defaults.input_fn
        self._predict = own["predict_fn"] or defaults.predict_fn
        self._output = own["output_fn"] or defaults.output_fn
        load = getattr(module, "model_fn", None)
        if load is None:
            raise NotImplementedError("Please provide a model_fn implementation.")
        self._model = _call(load, model_dir)

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """A response's body and content type."""
        content: Any = body.decode("utf-8") if content_type in _TEXTS else body
        if self._transform:
            result = _call(self._transform, self._model, content, content_type, accept)
        else:
            data = _call(self._input, content, content_type)
            prediction = _call(self._predict, data, self._model)
            result = _call(self._output, prediction, accept)
        if isinstance(result, tuple):
            result, accept = result[0], result[1]
        elif hasattr(result, "get_data"):  # a response of Flask's or Werkzeug's
            result, accept = result.get_data(), result.mimetype or accept
        return (bytes(result) if isinstance(result, bytes | bytearray) else str(result).encode()), accept


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of the script's, with None for the context that newer toolkits pass where it takes one more."""
    try:
        positional = len(
            [
                parameter
                for parameter in inspect.signature(function).parameters.values()
                if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
                and parameter.default is parameter.empty
            ]
        )
    except ValueError:  # a function that is not Python's
        positional = len(arguments)
    return function(*arguments, *([None] if positional == len(arguments) + 1 else []))


def _answer(script: Script, request: dict[str, str], body: bytes) -> tuple[dict[str, Any], bytes]:
    content_type = request["content_type"] or _JSON
    accept = request["accept"]
    if not accept or accept == _ANY:
        accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", _JSON)
    try:
        answer, kind = script.answer(body, content_type, accept)
        return {"status": 200, "content_type": kind}, answer
    except InferenceError as refused:
        return {"status": refused.status}, str(refused).encode()
    except Exception as error:  # the script's own: its traceback goes to the log, its last line to the caller
        traceback.print_exc()
        return {"status": 500}, _line(error).encode()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
