# SPDX-License-Identifier: Apache-2.0
"""`python -m mlops.cli` is the `mlops` command."""

from mlops.cli.app import main

main(prog_name="mlops")
