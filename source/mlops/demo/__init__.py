# SPDX-License-Identifier: Apache-2.0
"""`make demo`: trains and serves a model on real data in a laptop account. `make tour`: all pipeline types.

story.py      the steps of the demo
tour.py       the steps of the tour
in_aws.py     the demo in an AWS account, and checks that require one
scores.py     AUC and accuracy
requests/     the request bodies, to copy
tour_script/  a training script, as a user writes it
"""
