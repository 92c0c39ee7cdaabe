# SPDX-License-Identifier: Apache-2.0
"""Pipelines, listed: what the API does beside provisioning and status.

query.py       query parameters
listing.py     one page of pipelines
"""
