# SPDX-License-Identifier: Apache-2.0
"""MLOps Orchestrator: the command line, the deployment and the laptop account."""
