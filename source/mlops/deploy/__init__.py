# SPDX-License-Identifier: Apache-2.0
"""Builds what an AWS account installs, and installs it."""
