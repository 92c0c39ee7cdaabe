# SPDX-License-Identifier: Apache-2.0
"""Builds the orchestrator and installs it in an AWS account."""
