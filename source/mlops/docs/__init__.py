# SPDX-License-Identifier: Apache-2.0
"""What the documentation repeats from the code, made from the code: `make docs` writes it, tests/docs holds it.

pages.py       where a generated part stands in a page
phases.py      what each status of a stack means
decisions.py   what `decide` decides: rows that together are another telling of it
"""
