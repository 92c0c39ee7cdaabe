# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while building or installing. Every message says what to do about it.

DeployError
├── BuildError             the sources or the arguments do not make an installable build
│   ├── NativeCode         compiled code was about to ship: it would run on one kind of processor only
│   ├── DependencyError    the orchestrator's requirements cannot be met by pure-Python wheels
│   ├── PackageError       Chalice could not package the orchestrator
│   ├── TemplateError      a piece of a template cannot be read, or two pieces cannot be joined
│   ├── UnsafePermission   a blueprint asks for something a deployed role, or CloudFormation's, is not given
│   └── PolicyTooLarge     a policy can get longer than IAM takes
└── InstallError           the stack could not be created, updated or deleted; the reason is the first failed resource's
"""


class DeployError(Exception):
    """Building or installing failed."""


class BuildError(DeployError):
    """The sources or the arguments do not make an installable build."""


class NativeCode(BuildError):
    """Compiled code was about to ship."""


class DependencyError(BuildError):
    """The orchestrator's requirements cannot be met by pure-Python wheels."""


class PackageError(BuildError):
    """Chalice could not package the orchestrator."""


class TemplateError(BuildError):
    """A piece of a template cannot be read, or two pieces cannot be joined."""


class UnsafePermission(BuildError):
    """A blueprint asks for something a deployed role, or CloudFormation's, is not given."""


class PolicyTooLarge(BuildError):
    """A policy can get longer than IAM takes."""


class InstallError(DeployError):
    """The stack could not be created, updated or deleted."""
