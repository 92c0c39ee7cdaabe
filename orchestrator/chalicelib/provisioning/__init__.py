# SPDX-License-Identifier: Apache-2.0
"""A plan -> a running pipeline, one step per request.

resolve.py     looks up the model of another pipeline's last successful run
observe.py     looks up the stacks, the bundle and the latest execution
steps.py       the possible decisions
decide.py      plan x what exists -> one step. Pure and total
provision.py   observes, decides, acts
"""
