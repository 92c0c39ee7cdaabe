# SPDX-License-Identifier: Apache-2.0
"""Everything this account takes from ministack, by service: the only modules that name its private parts.

ministack has no extension points of its own: services, resource types and task integrations are entries in its tables,
and some functions are replaced by ours. tests/local/ministack/test_contract.py holds every name used here, so that an
upgrade which moves one fails there and not in somebody's pipeline.

context.py         the account, region and principal that code works for
router.py          which handler answers a service's requests
signatures.py      every request is signed by a key of this account
unsupported.py     services and operations that ministack does not have
state.py           the records of all services
iam.py, s3.py, events.py, apigateway.py, cloudformation.py, stepfunctions.py, functions.py, cloudwatch.py
conditions.py      Fn::Join in the conditions of templates
stack_records.py   what a stack records while it works, so that a kill loses nothing
"""
