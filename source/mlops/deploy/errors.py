# SPDX-License-Identifier: Apache-2.0
"""Errors while building or installing. Every message includes the solution.

DeployError
├── BuildError             the sources or the arguments are invalid
│   ├── NativeCode         a file is compiled code, which works on one processor architecture only
│   ├── DependencyError    the orchestrator's requirements cannot be met by pure-Python wheels
│   ├── PackageError       Chalice could not package the orchestrator
│   ├── TemplateError      a part of a template cannot be read, or two parts cannot be merged
│   ├── UnsafePermission   a blueprint requires a permission that is not allowed
│   └── PolicyTooLarge     a policy can exceed IAM's size limit
└── InstallError           the stack could not be created, updated or deleted; the reason is the first failed resource's
"""


class DeployError(Exception):
    """Building or installing failed."""


class BuildError(DeployError):
    """The sources or the arguments are invalid."""


class NativeCode(BuildError):
    """A file is compiled code."""


class DependencyError(BuildError):
    """The orchestrator's requirements cannot be met by pure-Python wheels."""


class PackageError(BuildError):
    """Chalice could not package the orchestrator."""


class TemplateError(BuildError):
    """A part of a template cannot be read, or two parts cannot be merged."""


class UnsafePermission(BuildError):
    """A blueprint requires a permission that is not allowed."""


class PolicyTooLarge(BuildError):
    """A policy can exceed IAM's size limit."""


class InstallError(DeployError):
    """The stack could not be created, updated or deleted."""
