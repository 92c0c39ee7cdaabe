# SPDX-License-Identifier: Apache-2.0
"""What reading and compiling blueprints raises."""


class BlueprintError(Exception):
    """A blueprint folder says something that does not hold together; the message names the file."""
