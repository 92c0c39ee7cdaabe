# SPDX-License-Identifier: Apache-2.0
"""Process settings of all commands: UTF-8 mode, and no proxy for connections to this machine.

Both are also set in the environment, for child processes.
"""

from __future__ import annotations

import codecs
import locale
import os
import sys
from collections.abc import Mapping

_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def use_utf8() -> None:
    """Restart in Python's UTF-8 mode if the locale has another encoding, because files and output are UTF-8."""
    if codecs.lookup(locale.getpreferredencoding(False)).name != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  this same command


def bypass_proxies() -> None:
    os.environ.update(no_proxy(os.environ))


def no_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables to set so that connections to this machine bypass the proxy of `environment`, if it has one."""
    if not any(environment.get(name) or environment.get(name.upper()) for name in _PROXIES):
        return {}
    before = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in before.split(",") if host.strip()]
    if "*" in hosts:
        return {}
    whole = ",".join([*hosts, *(host for host in _THIS_MACHINE if host not in hosts)])
    return {"NO_PROXY": whole, "no_proxy": whole}
