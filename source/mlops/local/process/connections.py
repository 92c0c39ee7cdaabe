# SPDX-License-Identifier: Apache-2.0
"""Connections end when their client ends them.

Hypercorn keeps one until `keep_alive_timeout` even after its client has closed it. With the long timeout that AWS's
SDKs like, a busy minute would use up the files a process may open.
"""

from __future__ import annotations

from hypercorn.asyncio.tcp_server import TCPServer


def install() -> None:
    """Once, before the server starts."""
    read = TCPServer._read_data

    async def read_and_end(server: TCPServer) -> None:
        await read(server)
        await server.idle_task.stop()  # what is still answered keeps the connection, waiting for more does not

    TCPServer._read_data = read_and_end  # type: ignore[method-assign, assignment]
