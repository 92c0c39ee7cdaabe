# SPDX-License-Identifier: Apache-2.0
"""A plan -> a running pipeline, one step per request.

resolve.py          looks up the model of another pipeline's last successful run
resolve_package.py  looks up the latest approved version in a group of model packages
observe.py          looks up the stacks, the bundle and the latest execution
steps.py            the possible decisions
decide.py           plan x what exists -> one step. Pure and total
preconditions.py    checks what the plan requires of AWS, right before the first write
provision.py        observes, decides, acts
messages.py         what the response says was done
"""
