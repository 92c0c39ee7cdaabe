# SPDX-License-Identifier: Apache-2.0
"""What every command of ours needs of its process: text in UTF-8, and no proxy between it and this machine.

Both are set in the environment too, so that processes started from here have them.
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
    """Start again in Python's UTF-8 mode where the locale has another encoding: our files and words are in UTF-8."""
    if codecs.lookup(locale.getpreferredencoding(False)).name != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  this same command


def bypass_proxies() -> None:
    os.environ.update(no_proxy(os.environ))


def no_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """What to set so that this machine is reached without the proxy of `environment`; nothing where it has none."""
    if not any(environment.get(name) or environment.get(name.upper()) for name in _PROXIES):
        return {}
    before = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in before.split(",") if host.strip()]
    if "*" in hosts:
        return {}
    whole = ",".join([*hosts, *(host for host in _THIS_MACHINE if host not in hosts)])
    return {"NO_PROXY": whole, "no_proxy": whole}
