# SPDX-License-Identifier: Apache-2.0
"""`make demo`: trains and serves a model on real data in a laptop account.

story.py    the steps of the demo
in_aws.py   the same in an AWS account, and checks that require one
scores.py   AUC and accuracy
requests/   the two request bodies, to copy
"""
