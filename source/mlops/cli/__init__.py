# SPDX-License-Identifier: Apache-2.0
"""The `mlops` command: works with AWS and with the laptop account.

app.py         the command group and its global options; formats errors
pipelines.py   provision, status, run, validate
endpoints.py   invoke
models.py      models list, show, approve, reject
installing.py  install
laptop.py      local up
connection.py  credentials, region, endpoint; the API's URL and signed calls to it
watching.py    watches a pipeline until it ends
show.py        terminal output
offline.py     runs the API's checks locally
failures.py    error messages and hints
"""

from mlops.cli.app import main

__all__ = ["main"]
