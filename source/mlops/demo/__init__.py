# SPDX-License-Identifier: Apache-2.0
"""`make demo`: one request becomes a running pipeline, on a laptop, with a real model on real data.

story.py    what happens, step by step
in_aws.py   the same in a real account, and what only that can show
scores.py   AUC and accuracy
requests/   the two request bodies, to copy
"""
