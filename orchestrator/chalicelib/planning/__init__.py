# SPDX-License-Identifier: Apache-2.0
"""A checked request -> everything that is to exist, as data. Pure: equal requests give equal plans.

plan.py        the plan
bundle.py      the bytes of template.zip
"""
