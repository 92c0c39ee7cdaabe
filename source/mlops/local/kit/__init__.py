# SPDX-License-Identifier: Apache-2.0
"""Serves an AWS API from botocore's own model of it.

api.py          a service: a handler for each operation
shapes.py       values against botocore's shapes
wire.py         the two protocols: AWS JSON 1.1, and REST with JSON
paging.py       the tokens of lists that come in pages
identity.py     principals, roles and what they may do
errors.py       errors as their callers see them
served.py       which of ministack's services this account answers for
unsupported.py  the response for services and operations that this account does not have
"""
