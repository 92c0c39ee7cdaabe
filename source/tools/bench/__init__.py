# SPDX-License-Identifier: Apache-2.0
"""Measures what we promise of the orchestrator and of the account on a laptop: `make bench`.

runtime.py, wire.py        a packaged function in a fresh process, under Lambda's own runtime client
orchestrator.py, cloud.py  what is asked of it, and the AWS it asks; functions/ has what it is compared with
cold.py, warm.py, checking.py, laptop.py, sizes.py    the measurements, each a few rows
measures.py, report.py     a row; docs/performance.md and docs/performance.json
"""
