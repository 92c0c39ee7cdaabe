# SPDX-License-Identifier: Apache-2.0
"""A plan and what was done -> the message of the response. Its words are the predecessor's, where it had any.

They differ by delivery: a pipeline without stages is a single stack, which has the pipeline's name.
"""

from __future__ import annotations

from chalicelib.planning.plan import Plan

CREATED = "success: stack creation started"
_UNCHANGED = "No updates are to be performed."


def updated(plan: Plan) -> str:
    """The request has changed."""
    if not plan.stages:
        return f"Pipeline {plan.name} is being updated."
    return f"Pipeline {plan.delivery_stack} is already provisioned. Updating template parameters."


def rerun(plan: Plan, reason: str) -> str:
    """The request has not changed, and the pipeline runs again."""
    if not plan.stages:
        return f"Pipeline {plan.name} is already provisioned. {_UNCHANGED} It runs again: {reason}."
    return f"Pipeline {plan.delivery_stack} is rerun: {reason}."


def unchanged(plan: Plan, reason: str) -> str:
    """The request has not changed, and nothing was done."""
    if not plan.stages:
        return f"Pipeline {plan.name} is already provisioned. {_UNCHANGED}"
    return f'Pipeline {plan.delivery_stack} {reason}. {_UNCHANGED} To rerun it, add "rerun": true to the request.'
