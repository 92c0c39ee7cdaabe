# SPDX-License-Identifier: Apache-2.0
"""Checks blueprint folders: `make templates`.

checks.py          everything that the build, the laptop account or cfn-lint would refuse
examples.py        the example requests of a blueprint
state_machines.py  the arguments and expressions of state machines
source_lines.py    the file and line of a part of a compiled template
"""
