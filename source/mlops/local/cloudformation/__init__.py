# SPDX-License-Identifier: Apache-2.0
"""CloudFormation, beside what ministack has of it.

resources.py    resource types of our own, and the registry's rules for all types
schemas.py      the registry's schemas, as cfn-lint ships them
permissions.py  the calls that CloudFormation makes in a stack's role
roles.py        the role of a stack
rules.py        what AWS refuses and ministack lets through
"""
