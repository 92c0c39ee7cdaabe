# SPDX-License-Identifier: Apache-2.0
"""Pipelines that exist, listed, stopped and deleted.

query.py       query parameters
listing.py     one page of pipelines
stopping.py    a run and its jobs, stopped
deletion.py    what exists -> the next step of a deletion
deleting.py    that step, taken
"""
