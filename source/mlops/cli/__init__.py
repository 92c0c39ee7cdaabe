# SPDX-License-Identifier: Apache-2.0
"""The `mlops` command: the same against AWS and against the account on your laptop.

app.py         the command group and its global options; errors become sentences
pipelines.py   provision, status, run, validate
endpoints.py   invoke
installing.py  install
laptop.py      local up
connection.py  credentials, region, endpoint; the API's URL and signed calls to it
watching.py    follows a pipeline until it ends
show.py        what people see
offline.py     the API's own checks without the API
failures.py    what went wrong, and what to do next
"""

from mlops.cli.app import main

__all__ = ["main"]
