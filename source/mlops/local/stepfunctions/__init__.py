# SPDX-License-Identifier: Apache-2.0
"""Step Functions, beside what ministack has of it.

tasks.py      what Task states can do with our services
rules.py      what AWS refuses and ministack lets through
versions.py   published versions of state machines
"""
