# SPDX-License-Identifier: Apache-2.0
"""Pipelines that exist, listed, stopped and deleted.

listing.py          one page of pipelines
stop.py             stops a run and its jobs
decide_deletion.py  what exists -> the next step of a deletion. Pure and total
delete.py           takes that step
"""
