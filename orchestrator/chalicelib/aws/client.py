# SPDX-License-Identifier: Apache-2.0
"""AWS as the orchestrator uses it: one object that makes every call of the port."""

from __future__ import annotations

from chalicelib.aws.builds import Builds
from chalicelib.aws.bundles import Bundles
from chalicelib.aws.jobs import Jobs
from chalicelib.aws.pipelines import Pipelines
from chalicelib.aws.registry import Registry
from chalicelib.aws.resources import Resources
from chalicelib.aws.stacks import Stacks


class Aws(Stacks, Bundles, Pipelines, Builds, Jobs, Registry, Resources):
    """The calls, made with the credentials and the endpoint of the environment."""
