# SPDX-License-Identifier: Apache-2.0
"""The observed state -> a pipeline's status.

finding.py     a name or an id -> the delivery stack
report.py      one status, its reason and its job
outcome.py     the result of a run's actions
history.py     the runs, newest first
"""
