# SPDX-License-Identifier: Apache-2.0
"""`make demo`: one request becomes a running pipeline, on a laptop, with a real model on real data.

story.py    what happens, step by step
in_aws.py   the same in a real account, and what only that can show
dataset.py  the data set: split, and in the form SageMaker's XGBoost reads
scores.py   AUC and accuracy
requests/   the two request bodies, to copy
data/       the data set, its source and licence
"""
