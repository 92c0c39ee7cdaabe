# SPDX-License-Identifier: Apache-2.0
"""`python -m mlops.local` starts the laptop account."""

import os
import sys

from mlops import process

process.use_utf8()  # before anything else of ours is imported

from mlops.local.process.server import main  # noqa: E402

code = main()
sys.stdout.flush()
sys.stderr.flush()
# Everything is saved; threads that still wait for a job or a function must not keep the process.
os._exit(code)
