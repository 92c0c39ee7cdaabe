# SPDX-License-Identifier: Apache-2.0
"""Real data to try things with: what `make demo`, `mlops local up` and `make bench` train on.

dataset.py  the data set: split, and in the form SageMaker's XGBoost reads
data/       the data set itself, its source and licence
"""
