# SPDX-License-Identifier: Apache-2.0
"""The orchestrator: one request becomes one running pipeline. Read the modules in the order of docs/architecture.md."""
