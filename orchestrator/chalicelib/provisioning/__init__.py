# SPDX-License-Identifier: Apache-2.0
"""A plan -> a running pipeline, one step a request.

resolve.py     what only AWS knows: the model of another pipeline's last successful run
observe.py     what exists under a pipeline's names
steps.py       what can be decided
decide.py      plan x what exists -> one step. Pure and total
provision.py   observes, decides, acts
"""
