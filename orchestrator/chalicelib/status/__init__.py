# SPDX-License-Identifier: Apache-2.0
"""What AWS says -> how a pipeline is.

finding.py     a name or an id -> the delivery stack, where it is ours
report.py      one status, its reason and its job
outcome.py     what the actions of one run came to
history.py     the runs, newest first
"""
