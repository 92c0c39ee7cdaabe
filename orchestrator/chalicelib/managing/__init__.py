# SPDX-License-Identifier: Apache-2.0
"""Lists, stops and deletes existing pipelines.

listing.py          one page of pipelines
stop.py             stops a run and its jobs
decide_deletion.py  the observed state -> the next step of a deletion. Pure and total
delete.py           executes that step
"""
