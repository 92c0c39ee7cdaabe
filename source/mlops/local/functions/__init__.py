# SPDX-License-Identifier: Apache-2.0
"""Lambda functions: what they see, and how many run at once.

isolation.py    Lambda's environment, and nothing of this machine
interpreter.py  a Python that sees what Lambda's sees
gate.py         how many run at once, and who waits
"""
