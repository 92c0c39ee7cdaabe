# SPDX-License-Identifier: Apache-2.0
"""The floor: a function that does nothing."""


def handler(event: object, context: object) -> str:
    return ""
