# SPDX-License-Identifier: Apache-2.0
"""Step Functions, beside what ministack has of it.

tasks.py      what Task states can do with our services
versions.py   published versions of state machines
"""
