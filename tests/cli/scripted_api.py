# SPDX-License-Identifier: Apache-2.0
"""An API that responds as a test tells it to, and `mlops` that calls it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.support.environments import without_aws

Response = tuple[int, dict[str, str], dict[str, Any] | str]


@dataclass
class Api:
    """Responds to each route with what is left in its list, and with the last for good."""

    url: str = ""
    responses: dict[str, list[Response]] = field(default_factory=dict)
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    asked: Event = field(default_factory=Event)
    hang: float = 0.0

    def respond(self, path: str, body: bytes) -> Response:
        route = path.rpartition("/")[2]
        self.paths.append(path)
        self.bodies.append((route, body))
        left = self.responses[route]
        response = left.pop(0) if len(left) > 1 else left[0]
        self.asked.set()
        time.sleep(self.hang)
        return response


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Api]:
    """An API on a free port; with a certificate (and its key, in one file) over TLS."""
    found = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, document = found.respond(self.path, body)
            text = (document if isinstance(document, str) else json.dumps(document)).encode()
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)
            except BrokenPipeError:
                pass  # the command was interrupted

        do_GET = do_DELETE = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if certificate else "http"
    found.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/prod"
    Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def command(api: Api, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "mlops.cli", "--api-url", api.url, *map(str, arguments)]


def environment(api: Api, **more: str) -> dict[str, str]:
    return {
        **without_aws(),
        "AWS_ACCESS_KEY_ID": "1",
        "AWS_SECRET_ACCESS_KEY": "2",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": api.url,
        **more,
    }


def mlops(api: Api, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(api, *arguments), capture_output=True, text=True, env=environment(api, **more), timeout=60
    )
